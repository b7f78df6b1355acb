package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/worker"
	"swarm-scale/test/eventually"
	"swarm-scale/test/redistest"
)

// wantStanding waits until what the database says about the queues is as check wants it.
func (b *bench) wantStanding(what string, check func(poll.Standing) bool) {
	b.t.Helper()
	eventually.Succeeds(b.t, patience, what, func() error {
		standing, err := b.scoreboard.Standing(b.t.Context())
		if err == nil && !check(standing) {
			err = fmt.Errorf("the standing is %+v", standing)
		}
		return err
	})
}

// fresh is a standing of a moment ago.
func fresh(s poll.Standing) bool { return s.Known && s.Behind < 4*time.Second }

// behind is a standing that falls behind because of one queue.
func behind(queue string) func(poll.Standing) bool {
	return func(s poll.Standing) bool { return s.Known && s.Behind > 2*time.Second && s.Queue == queue }
}

// follow runs a worker on the queues at these addresses.
func (b *bench) follow(votes poll.Votes, addresses ...string) (w *worker.Worker, stop func()) {
	b.t.Helper()
	open := func(address string) (poll.Backlog, error) { return redis.NewBacklog(address, "worker01") }
	w = worker.New(votes, open, quick())
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.Follow(ctx, addresses); err != nil {
		b.t.Fatal(err)
	}
	stop = func() {
		b.t.Helper()
		cancel()
		wantEnd(b.t, w)
	}
	b.t.Cleanup(stop)
	return w, stop
}

func wantNotReady(t *testing.T, w *worker.Worker, says string) {
	t.Helper()
	eventually.Succeeds(t, patience, "the worker says "+says, func() error {
		if err := w.Ready(); err == nil || !strings.Contains(err.Error(), says) {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
}

// TestWorkerStoresWithoutAQueue holds that a worker says it can store votes once the database has answered, whether a queue is there or not.
func TestWorkerStoresWithoutAQueue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone := "127.0.0.1:1"
	w, _ := b.follow(b.votes, gone)
	eventually.Succeeds(t, patience, "the worker stores", w.Stores)
	wantNotReady(t, w, gone)
	if err := worker.New(b.votes, nil, quick()).Stores(); err == nil {
		t.Error("a worker that has not begun says that it stores")
	}
}

func TestStandingBeforeAnyWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.votes.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if standing, err := b.scoreboard.Standing(t.Context()); err != nil || standing != (poll.Standing{}) {
		t.Errorf("the standing is %+v (%v), want that nothing is known", standing, err)
	}
}

// A queue that hangs, or is gone, makes the standing old and the worker not ready, although no vote comes. Then all is well again.
func TestStandingFallsBehindWithAQueueThatCannotBeReached(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := redistest.Start(t)
	w, _ := b.follow(b.votes, b.server.Address, other.Address)
	b.wantStanding("all queues are drained", fresh)
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
	other.Pause(t)
	b.append(3, poll.A)
	b.wantStanding("the queue that hangs is behind", behind(other.Address))
	wantNotReady(t, w, other.Address)
	other.Resume(t)
	b.wantStanding("all queues are drained", fresh)
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
	other.Kill()
	b.wantStanding("the queue that is gone is behind", behind(other.Address))
	wantNotReady(t, w, other.Address)
}

func TestStandingIsUnknownWithAQueueThatWasNeverReached(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone := redistest.Start(t)
	gone.Kill()
	b.follow(b.votes, b.server.Address, gone.Address)
	b.append(1, poll.A)
	b.wantDrained(poll.Tally{A: 1})
	b.wantStanding("the queue is not known", func(s poll.Standing) bool { return !s.Known && s.Queue == gone.Address && s.Tally.A == 1 })
	gone.Restart(t)
	b.wantStanding("all queues are drained", fresh)
}

// The database takes notes, but no votes: so does one whose disk is full, for a while.
func TestStandingFallsBehindWithVotesThatAreNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.follow(failing{b.votes}, b.server.Address)
	b.wantStanding("the queue is drained", fresh)
	b.append(1, poll.A)
	b.wantStanding("the queue is behind", behind(b.server.Address))
}

func TestStandingFallsBehindWithoutAWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, stop := b.follow(b.votes, b.server.Address)
	b.wantStanding("the queue is drained", fresh)
	stop()
	b.wantStanding("the queue is behind", behind(b.server.Address))
}

// The worker says within seconds that the database takes nothing, although no vote comes.
func TestWorkerSaysThatItReachesNoDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	away := &awayVotes{Votes: b.votes}
	w, _ := b.follow(away, b.server.Address)
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
	away.down.Store(true)
	wantNotReady(t, w, "cannot be recorded")
	if err := w.Alive(); err != nil {
		t.Errorf("it is alive, but says %v", err)
	}
	away.down.Store(false)
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
}

// A queue that a worker leaves keeps the results from being live until it is drained, whether it holds votes or not: its frontend may
// still take some. A worker that starts does not change that.
func TestQueueThatIsLeftCountsUntilItIsDrained(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stays := redistest.Start(t)
	w, _ := b.follow(b.votes, b.server.Address, stays.Address)
	b.wantStanding("all queues are drained", fresh)
	if err := w.Follow(t.Context(), []string{stays.Address}); err != nil {
		t.Fatal(err)
	}
	b.append(4, poll.A)
	b.wantStanding("the queue that was left is behind", behind(b.server.Address))
	b.follow(b.votes, stays.Address)
	time.Sleep(2 * time.Second)
	b.wantStanding("it still is", behind(b.server.Address))
	if _, err := worker.Drain(t.Context(), b.votes, b.backlog("worker01-drain"), quick()); err != nil {
		t.Fatal(err)
	}
	b.wantStanding("the other one counts", func(s poll.Standing) bool { return fresh(s) && s.Queue == stays.Address && s.Tally.A == 4 })
}

// A queue that is drained for good is forgotten, although a worker that is about to end still follows it, and even starts anew.
func TestDrainedQueueIsForgottenByThoseWhoFollowIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stays := redistest.Start(t)
	b.follow(b.votes, stays.Address)
	_, end := b.follow(b.votes, b.server.Address, stays.Address)
	b.append(4, poll.A)
	b.wantDrained(poll.Tally{A: 4})
	if _, err := worker.Drain(t.Context(), b.votes, b.backlog("worker01-drain"), quick()); err != nil {
		t.Fatal(err)
	}
	end()
	_, end = b.follow(b.votes, b.server.Address, stays.Address)
	time.Sleep(2 * time.Second)
	end()
	time.Sleep(4 * time.Second)
	b.wantStanding("only the queue that stays counts", func(s poll.Standing) bool { return fresh(s) && s.Queue == stays.Address })
}

// A queue that was drained counts again when it takes votes again, and when it cannot be reached.
func TestDrainedQueueCountsWhenItIsInUseAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := redistest.Start(t)
	if err := b.votes.Retire(t.Context(), []string{b.server.Address, other.Address}); err != nil {
		t.Fatal(err)
	}
	_, end := b.follow(b.votes, b.server.Address)
	b.append(1, poll.B)
	b.wantStanding("the queue is drained", func(s poll.Standing) bool { return fresh(s) && s.Queue == b.server.Address && s.Tally.B == 1 })
	end()
	other.Kill()
	b.follow(b.votes, b.server.Address, other.Address)
	b.wantStanding("the other queue is not known", func(s poll.Standing) bool { return !s.Known && s.Queue == other.Address })
}

// Workers that note the same queues at once do not wait for each other in a circle.
func TestNotesOfTwoWorkersDoNotCollide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			var progress []poll.Progress
			for i := range 20 {
				progress = append(progress, poll.Progress{Queue: fmt.Sprint("redis", (i*7+w)%20), Known: true, At: time.Now(), InUse: i%3 == w%3})
			}
			for range 100 {
				if err := errors.Join(b.votes.Record(t.Context(), progress), b.votes.Retire(t.Context(), []string{"redis7", "redis3"})); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// awayVotes is a database that does not answer while it is down.
type awayVotes struct {
	poll.Votes
	down atomic.Bool
}

func (a *awayVotes) Record(ctx context.Context, progress []poll.Progress) error {
	if a.down.Load() {
		return errors.New("the database is away")
	}
	return a.Votes.Record(ctx, progress)
}
