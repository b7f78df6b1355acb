package crowd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/poll"
	pollhttp "swarm-scale/poll/http"
)

// queue keeps each voter's latest vote. While it is broken it refuses votes, every second one after it has taken it.
type queue struct {
	mu      sync.Mutex
	latest  map[poll.VoterID]poll.Vote
	refused int
	broken  atomic.Bool
}

func (q *queue) Append(_ context.Context, vote poll.Vote) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken.Load() {
		q.refused++
		if q.refused%2 == 0 {
			return errors.New("broken, and the vote was not taken")
		}
	}
	if vote.Supersedes(q.latest[vote.Voter]) {
		q.latest[vote.Voter] = vote
	}
	if q.broken.Load() {
		return errors.New("broken, but the vote was taken")
	}
	return nil
}

func (q *queue) CheckWritable(context.Context) error { return nil }

func (q *queue) tally() (a, b int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, vote := range q.latest {
		if vote.Choice == poll.A {
			a++
		} else {
			b++
		}
	}
	return a, b
}

// startPoll serves the real vote page on a queue, and the queue's tally as results.
func startPoll(t *testing.T) (*queue, Site) {
	t.Helper()
	ballot, err := poll.NewBallot("Cats", "Dogs")
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{latest: map[poll.VoterID]poll.Vote{}}
	app, err := pollhttp.NewVoteApp(pollhttp.VoteOptions{Ballot: ballot, Queue: q, Key: []byte(strings.Repeat("k", 32)), Container: "frontend01"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.HandleFunc("/results.json", func(w http.ResponseWriter, _ *http.Request) {
		a, b := q.tally()
		_ = json.NewEncoder(w).Encode(map[string]any{"live": true, "total": a + b,
			"options": []any{map[string]any{"id": "a", "votes": a}, map[string]any{"id": "b", "votes": b}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return q, Site{Address: server.Listener.Addr().String(), Host: "votingapp.local"}
}

// The books are exact: with failures in between, when nobody is in doubt any more.
func TestBooks(t *testing.T) {
	q, site := startPoll(t)
	c := New(site)
	calm := c.Vote(t.Context(), 100)
	if calm.Bad != 0 || calm.Good < 150 || calm.Containers["frontend01"] != calm.Good {
		t.Errorf("on a poll that works: %s", calm)
	}
	campaign := c.Start(t.Context(), 4, time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	q.broken.Store(true)
	broken := time.Now()
	time.Sleep(300 * time.Millisecond)
	during := campaign.Since(broken)
	q.broken.Store(false)
	time.Sleep(100 * time.Millisecond)
	seen := campaign.Stop()
	if during.Bad == 0 || seen.Faults["vote: 503"] == 0 || seen.Trouble < 100*time.Millisecond || seen.Trouble > time.Second || seen.Silence > time.Second {
		t.Errorf("while votes were refused: %s; in all: %s, trouble %s", during, seen, seen.Trouble)
	}
	_, inDoubt := c.Voters()
	if inDoubt == 0 {
		t.Error("nobody is in doubt after votes that were refused")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	a, b := c.Tally()
	if gotA, gotB := q.tally(); gotA != a || gotB != b || a == 0 || b == 0 {
		t.Errorf("the poll counts %d to %d, the books say %d to %d", gotA, gotB, a, b)
	}
	if _, err := c.AwaitTally(ctx, site.Address, time.Second); err != nil {
		t.Error(err)
	}

	// A vote too many or too few is seen.
	q.mu.Lock()
	for voter := range q.latest {
		delete(q.latest, voter)
		break
	}
	q.mu.Unlock()
	if _, err := c.AwaitTally(ctx, site.Address, 0); err == nil {
		t.Error("a lost vote is not seen")
	}
}

// A poll that does not answer at all is silent for as long as it does not.
func TestSilence(t *testing.T) {
	_, site := startPoll(t)
	c := New(site)
	if o := c.Vote(t.Context(), 3); o.Bad != 0 {
		t.Fatal(o)
	}
	gone := New(Site{Address: "127.0.0.1:1", Host: site.Host})
	campaign := gone.Start(t.Context(), 2, 10*time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	seen := campaign.Stop()
	if seen.Good != 0 || seen.Silence < 200*time.Millisecond || seen.Faults["page: connection refused"] == 0 {
		t.Errorf("of a poll that is not there: %s", seen)
	}
	if counted, inDoubt := gone.Voters(); counted+inDoubt != 0 {
		t.Errorf("%d counted and %d in doubt, and nobody voted", counted, inDoubt)
	}
}
