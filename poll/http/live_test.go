package http

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
)

// The results are live only if all queues were handed over up to a moment ago, and they say up to when.
func TestResultsAreLiveOnlyIfComplete(t *testing.T) {
	board := &memoryBoard{tally: poll.Tally{A: 3}}
	app := newResultsApp(t, board)
	for _, step := range []struct {
		name            string
		behind          time.Duration
		unknown         bool
		live            bool
		status, trouble string
	}{
		{"at once", 0, false, true, "Live · ", ""},
		{"within a moment", liveWithin, false, true, "Live · ", ""},
		{"a queue that nobody drains", liveWithin + time.Millisecond, false, false, "As of ", "after this time"},
		{"for minutes", 8 * time.Minute, false, false, "As of ", "after this time"},
		{"a queue that was never reached", 0, true, false, "Not live", "not every queue"},
		{"again", time.Second, false, true, "Live · ", ""},
	} {
		board.mu.Lock()
		board.behind, board.unknown = step.behind, step.unknown
		board.mu.Unlock()
		_, changed := app.live.now()
		wasLive := app.live.current.isLive()
		before := time.Now()
		app.live.update(t.Context())
		after := time.Now()
		select {
		case <-changed:
		default:
			if wasLive != step.live {
				t.Errorf("%s: viewers are not told", step.name)
			}
		}
		_, text := fetch(t, app, "/results.json")
		var got results
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Live != step.live || got.Total != 3 || !strings.Contains(got.Trouble, step.trouble) {
			t.Errorf("%s: the JSON is %s (%v)", step.name, text, err)
		}
		if step.unknown {
			if got.AsOf != "" {
				t.Errorf("%s: it says that it is complete up to %s", step.name, got.AsOf)
			}
		} else if asOf, err := time.Parse(time.RFC3339Nano, got.AsOf); err != nil || asOf.Before(before.Add(-step.behind)) || asOf.After(after.Add(-step.behind)) {
			t.Errorf("%s: it says that it is complete up to %s (%v), want %s before %s", step.name, got.AsOf, err, step.behind, after)
		}
		if _, page := fetch(t, app, "/"); !strings.Contains(page, step.status) || strings.Contains(page, `class="stale"`) == step.live {
			t.Errorf("%s: the page lacks %q", step.name, step.status)
		}
		if err := app.Ready(t.Context()); err != nil {
			t.Errorf("%s: a container that can read the tally is ready, but says: %v", step.name, err)
		}
	}
}
