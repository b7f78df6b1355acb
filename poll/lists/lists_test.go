package lists_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarm-scale/poll/lists"
)

func TestListIsFollowedAndItsFaultIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu      sync.Mutex // guards what follows
			content []string
			fault   error
			used    []string
			bad     bool
			log     bytes.Buffer
		)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			lists.List{
				Name: "queues", Log: slog.New(slog.NewTextHandler(&log, nil)),
				Read: func() ([]string, error) {
					mu.Lock()
					defer mu.Unlock()
					return content, fault
				},
				Use: func(entries []string) error {
					mu.Lock()
					defer mu.Unlock()
					if len(entries) == 0 {
						return errors.New("no queue")
					}
					used = entries
					return nil
				},
				Bad: func(is bool) {
					mu.Lock()
					defer mu.Unlock()
					bad = is
				},
			}.Follow(ctx)
		}()
		for _, step := range []struct {
			name    string
			content []string
			fault   error
			used    []string
			bad     bool
			lines   int // in the log so far
		}{
			{"first list", []string{"a"}, nil, []string{"a"}, false, 0},
			{"changed", []string{"a", "b"}, nil, []string{"a", "b"}, false, 0},
			{"cannot be read", nil, errors.New("no\nfile"), []string{"a", "b"}, true, 1},
			{"still", nil, errors.New("no\nfile"), []string{"a", "b"}, true, 1},
			{"cannot be used", nil, nil, []string{"a", "b"}, true, 2},
			{"good again", []string{"c"}, nil, []string{"c"}, false, 3},
		} {
			mu.Lock()
			content, fault = step.content, step.fault
			mu.Unlock()
			time.Sleep(3 * lists.Interval)
			synctest.Wait()
			mu.Lock()
			if !slices.Equal(used, step.used) || bad != step.bad || strings.Count(log.String(), "\n") != step.lines {
				t.Errorf("%s: used %q, bad %v, log:\n%s", step.name, used, bad, log.String())
			}
			mu.Unlock()
		}
		stop()
		<-ended
	})
}
