package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/worker"
	"swarm-scale/test/eventually"
	"swarm-scale/test/redistest"
)

// value is a metric's value for a queue, "" for one without queues; ok is false if there is none.
func value(t *testing.T, registry *prometheus.Registry, metric, queue string) (value float64, ok bool) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			label := ""
			for _, pair := range m.GetLabel() {
				label = pair.GetValue()
			}
			if family.GetName() == metric && label == queue {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}

// queuesWithMetrics are the queues that any metric has.
func queuesWithMetrics(t *testing.T, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var queues []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				queues = append(queues, pair.GetValue())
			}
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}

// One queue is added and another one left while the worker has a batch of it in hand: the added one is drained, the one that
// was left has nothing pending, no connection and no metrics.
func TestFollowAddsAndLeavesQueues(t *testing.T) {
	b := newBench(t)
	added := redistest.Start(t)
	slow := &slowVotes{Votes: b.votes, begun: make(chan struct{}), goOn: make(chan struct{})}
	registry := prometheus.NewRegistry()
	options := quick()
	options.Metrics = worker.NewMetrics(registry)
	open := func(address string) (poll.Backlog, error) { return redis.NewBacklog(address, "worker01") }
	w := worker.New(slow, open, options)
	ctx, stop := context.WithCancel(t.Context())
	defer wantEnd(t, w)
	defer stop()

	if err := w.Follow(ctx, []string{b.server.Address}); err != nil {
		t.Fatal(err)
	}
	b.append(30, poll.A)
	<-slow.begun
	if err := w.Follow(ctx, []string{added.Address}); err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	eventually.Succeeds(t, patience, "the worker has left the queue", func() error {
		clients := b.server.Do(t, "CLIENT", "LIST")
		if strings.Contains(clients, "name=worker01") {
			return errors.New("it is still connected")
		}
		if queues := queuesWithMetrics(t, registry); !slices.Equal(queues, []string{added.Address}) {
			return fmt.Errorf("there are metrics of %q", queues)
		}
		return nil
	})
	if pending := b.server.Do(t, "EVAL", "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "1", redis.Stream, redis.Group); pending != "0" {
		t.Errorf("%s entries are pending", pending)
	}
	left, err := b.backlog("test").Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tally, err := b.scoreboard.Tally(t.Context())
	if err != nil || tally.A+left != 30 || tally.A == 0 {
		t.Errorf("%d votes are stored and %d queued (%v), want 30 together and some stored", tally.A, left, err)
	}

	queue, err := redis.NewQueue(added.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	for range 20 {
		if err := queue.Append(t.Context(), poll.Vote{Voter: poll.NewVoterID(), Choice: poll.B, CastAt: poll.TimestampOf(time.Now())}); err != nil {
			t.Fatal(err)
		}
	}
	eventually.Succeeds(t, patience, "the added queue is drained", func() error {
		tally, err := b.scoreboard.Tally(t.Context())
		if err != nil || tally.B != 20 {
			return fmt.Errorf("the tally is %+v (%w)", tally, err)
		}
		return nil
	})
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
	if _, ok := value(t, registry, "poll_worker_votes_stored_total", added.Address); !ok {
		t.Error("the added queue has no metrics")
	}

	// The queue that was left is listed again.
	if err := w.Follow(ctx, []string{added.Address, b.server.Address}); err != nil {
		t.Fatal(err)
	}
	b.wantDrained(poll.Tally{A: 30, B: 20})
}

// idle is a queue that never has a vote.
type idle struct {
	poll.Backlog // the methods that are not called
	name         string
	prepared     atomic.Bool
	closed       atomic.Bool
	closing      chan struct{} // if set, Close waits for it
}

func (i *idle) Name() string { return i.name }
func (i *idle) Prepare(context.Context) error {
	i.prepared.Store(true)
	return nil
}
func (i *idle) Next(ctx context.Context, _ int, wait time.Duration) ([]poll.Entry, error) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil, ctx.Err()
}
func (i *idle) Unfinished(context.Context, int, string) ([]poll.Entry, error) { return nil, nil }
func (i *idle) TakeOver(context.Context, int, time.Duration, string) ([]poll.Entry, string, error) {
	return nil, "", nil
}
func (i *idle) Behind(context.Context) (time.Duration, error)             { return 0, nil }
func (i *idle) HasAbandoned(context.Context, time.Duration) (bool, error) { return false, nil }
func (i *idle) Size(context.Context) (int64, error)                       { return 0, nil }
func (i *idle) DeadLetterCount(context.Context) (int64, error)            { return 0, nil }
func (i *idle) Close() {
	if i.closing != nil {
		<-i.closing
	}
	i.closed.Store(true)
}

// nowhere is a database for votes that never come.
type nowhere struct{ poll.Votes }

func (nowhere) Prepare(context.Context) error                 { return nil }
func (nowhere) Record(context.Context, []poll.Progress) error { return nil }
func (nowhere) Retire(context.Context, []string) error        { return nil }

// idles opens idle queues, but for those at "broken".
type idles struct {
	mu     sync.Mutex
	opened []*idle
	hold   chan struct{}
}

func (o *idles) open(address string) (poll.Backlog, error) {
	if address == "broken" {
		return nil, errors.New("it is broken")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := &idle{name: address, closing: o.hold}
	o.opened = append(o.opened, q)
	return q, nil
}

// state says which queues are open.
func (o *idles) state() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, q := range o.opened {
		if !q.closed.Load() {
			names = append(names, q.name)
		}
	}
	return strings.Join(names, " ")
}

func TestFollowListKeepsTheQueuesWhenTheListIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queues := &idles{}
		registry := prometheus.NewRegistry()
		var log bytes.Buffer
		w := worker.New(nowhere{}, queues.open, worker.Options{Metrics: worker.NewMetrics(registry),
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))})
		ctx, stop := context.WithCancel(t.Context())
		if err := w.Follow(ctx, []string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
		list, listErr := []string{"a", "b"}, error(nil)
		var mu sync.Mutex
		w.FollowList(ctx, func() ([]string, error) {
			mu.Lock()
			defer mu.Unlock()
			return list, listErr
		})
		for _, step := range []struct {
			name  string
			list  []string
			err   error
			open  string
			bad   float64
			lines int // in the log so far
		}{
			{"the same", []string{"b", "a"}, nil, "a b", 0, 0},
			{"a list that cannot be read", nil, errors.New("LIST_FILE is \"x\": no such file"), "a b", 1, 1},
			{"a queue that cannot be opened", []string{"c", "broken"}, nil, "a b", 1, 2},
			{"one more, one less", []string{"b", "c"}, nil, "b c", 0, 2},
			{"a list that cannot be read again", nil, errors.New("not now"), "b c", 1, 3},
		} {
			mu.Lock()
			list, listErr = step.list, step.err
			mu.Unlock()
			time.Sleep(5 * time.Second) // several readings
			synctest.Wait()
			if got := queues.state(); got != step.open {
				t.Errorf("%s: the queues %q are open, want %q", step.name, got, step.open)
			}
			if got := queuesWithMetrics(t, registry); strings.Join(got, " ") != step.open {
				t.Errorf("%s: there are metrics of %q, want %q", step.name, got, step.open)
			}
			if bad, ok := value(t, registry, "poll_worker_queue_list_faults", ""); !ok || bad != step.bad {
				t.Errorf("%s: the metric of the list is %v, want %v", step.name, bad, step.bad)
			}
			if err := errors.Join(w.Ready(), w.Alive()); err != nil {
				t.Errorf("%s: the worker is not well: %v", step.name, err)
			}
			if lines := strings.Count(log.String(), "\n"); lines != step.lines {
				t.Errorf("%s: the log has %d lines, want %d:\n%s", step.name, lines, step.lines, log.String())
			}
		}
		stop()
		w.Wait()
		if got := queues.state(); got != "" {
			t.Errorf("after the end the queues %q are open", got)
		}
	})
}

// One consumer reads a queue at a time: two of one name would take each other's unfinished entries.
func TestQueueThatIsListedAgainBeginsWhenItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queues := &idles{hold: make(chan struct{})}
		w := worker.New(nowhere{}, queues.open, worker.Options{})
		ctx, stop := context.WithCancel(t.Context())
		for _, list := range [][]string{{"a"}, {}, {"a"}} {
			if err := w.Follow(ctx, list); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second) // more than a read takes
			synctest.Wait()
		}
		first, second := queues.opened[0], queues.opened[1]
		if first.closed.Load() || second.prepared.Load() {
			t.Error("the second began before the first had ended")
		}
		close(queues.hold)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !first.closed.Load() || !second.prepared.Load() {
			t.Error("the second did not begin after the first")
		}
		stop()
		w.Wait()
	})
}
