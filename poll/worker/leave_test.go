package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/eventually"
)

// pending is how many entries of the queue are handed out.
func (b *bench) pending() string {
	b.t.Helper()
	return b.server.Do(b.t, "EVAL", "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "1", redis.Stream, redis.Group)
}

// wantPending waits until entries are handed out.
func (b *bench) wantPending() {
	b.t.Helper()
	eventually.Succeeds(b.t, patience, "entries are handed out", func() error {
		if b.pending() == "0" {
			return errors.New("none are")
		}
		return nil
	})
}

// A worker that cannot store what it holds leaves. Another one, which waits an hour for whoever is gone, has it at once.
func TestWorkerThatLeavesHandsBackWhatItHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	options := quick()
	options.Recheck, options.IdleAfter = time.Hour, time.Hour
	options.StopTimeout = 100 * time.Millisecond
	_, stop := run(t, failing{b.votes}, options, b.backlog("worker01"))
	b.append(20, poll.A)
	b.wantPending()
	run(t, b.votes, options, b.backlog("worker02"))
	b.append(5, poll.B)
	eventually.Succeeds(t, patience, "the other worker is at work", func() error {
		if tally, err := b.scoreboard.Tally(t.Context()); err != nil || tally.B == 0 {
			return fmt.Errorf("the tally is %+v (%w)", tally, err)
		}
		return nil
	})
	stop()
	b.wantDrained(poll.Tally{A: 20, B: 5})
}

// The same for a worker whose database hangs: it hands back before Docker kills it.
func TestWorkerWhoseDatabaseHangsHandsBackInTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	options := quick()
	options.StepTimeout, options.StopTimeout = time.Hour, 100*time.Millisecond
	hanging := hangingVotes{Votes: b.votes, begun: make(chan struct{}, 100)}
	_, stop := run(t, hanging, options, b.backlog("worker01"))
	b.append(3, poll.A)
	<-hanging.begun
	stop() // within patience
	options.Recheck, options.IdleAfter = time.Hour, time.Hour
	run(t, b.votes, options, b.backlog("worker02"))
	b.wantDrained(poll.Tally{A: 3})
}

type hangingVotes struct {
	poll.Votes
	begun chan struct{}
}

func (h hangingVotes) Save(ctx context.Context, _ []poll.Vote) (int64, error) {
	h.begun <- struct{}{}
	<-ctx.Done()
	return 0, ctx.Err()
}

// stoppedInRead stops its worker while Redis hands out entries, so that the read ends without them.
type stoppedInRead struct {
	poll.Backlog
	stop context.CancelFunc
}

func (s stoppedInRead) Next(ctx context.Context, max int, wait time.Duration) ([]poll.Entry, error) {
	entries, err := s.Backlog.Next(ctx, max, wait)
	if len(entries) > 0 {
		s.stop()
		return nil, ctx.Err()
	}
	return entries, err
}

// A worker that is stopped while it reads stores what it was handed at that moment.
func TestWorkerThatIsStoppedInAReadStoresWhatItWasHanded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.votes.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.append(5, poll.A)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w, names := newWorker(b.votes, quick(), stoppedInRead{b.backlog("worker01"), stop})
	if err := w.Follow(ctx, names); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, w)
	left, err := b.backlog("test").Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tally, err := b.scoreboard.Tally(t.Context())
	if err != nil || tally.A == 0 || tally.A+left != 5 {
		t.Errorf("%d votes are stored and %d queued (%v), want some stored, and 5 together", tally.A, left, err)
	}
	if got := b.pending(); got != "0" {
		t.Errorf("%s entries are pending", got)
	}
}

// Nothing is lost when workers come and go while votes are queued.
func TestWorkersThatComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	options := quick()
	options.Recheck, options.IdleAfter = time.Hour, time.Hour
	for i := range 8 {
		_, stop := run(t, b.votes, options, b.backlog(fmt.Sprintf("worker%02d", i)))
		b.append(20, poll.B)
		stop()
	}
	run(t, b.votes, options, b.backlog("worker99"))
	b.wantDrained(poll.Tally{B: 160})
	if got := b.pending(); got != "0" {
		t.Errorf("%s entries are pending", got)
	}
}
