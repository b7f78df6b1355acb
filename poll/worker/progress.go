package worker

import (
	"context"
	"maps"
	"slices"
	"time"

	"swarm-scale/poll"
)

const (
	// watchInterval is how often each queue is asked how far behind it is, and the answers are recorded. Both cost microseconds.
	watchInterval = time.Second
	// watchTimeout is how long an answer may take.
	watchTimeout = 3 * time.Second
)

// attempt is one attempt to reach a queue or the database.
type attempt struct {
	at     time.Time // when it began
	behind time.Duration
	err    error
	last   *attempt // the latest one that succeeded before, or nil
}

// next is the attempt after this one, nil for the first.
func (a *attempt) next(at time.Time, behind time.Duration, err error) *attempt {
	next := &attempt{at: at, behind: behind, err: err, last: a.success()}
	if next.last != nil {
		next.last = &attempt{at: next.last.at, behind: next.last.behind}
	}
	return next
}

// success is this attempt, or the latest one before, that succeeded; nil if none did.
func (a *attempt) success() *attempt {
	if a == nil || a.err == nil {
		return a
	}
	return a.last
}

// fault is why the attempt failed, or nil.
func (a *attempt) fault() error {
	if a == nil {
		return nil // there was none yet
	}
	return a.err
}

// watch asks a queue how far behind it is, and looks for entries that others have left, again and again until ctx is done.
func (w *Worker) watch(ctx context.Context, q *queue) {
	for ctx.Err() == nil {
		at := time.Now()
		behind, err := withTimeout(ctx, watchTimeout, q.Behind)
		if ctx.Err() != nil {
			return
		}
		q.asked.Store(q.asked.Load().next(at, behind, err))
		found, err := withTimeout(ctx, watchTimeout, func(ctx context.Context) (bool, error) {
			return q.HasAbandoned(ctx, w.options.IdleAfter)
		})
		if err == nil && found {
			q.abandoned.Store(true)
		}
		sleep(ctx, watchInterval)
	}
}

// recordProgress records how far behind each queue is, again and again until ctx is done. A queue that is left keeps what was recorded
// last, because its frontend may still take votes. Whoever drains it retires it.
func (w *Worker) recordProgress(ctx context.Context) {
	recorded := map[string]uint64{} // how many entries each queue had handed over
	for ctx.Err() == nil {
		at := time.Now()
		progress, handed := w.progress(recorded)
		_, err := withTimeout(ctx, watchTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, w.votes.Record(ctx, progress)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			recorded = handed
		}
		w.recorded.Store(w.recorded.Load().next(at, 0, err))
		sleep(ctx, watchInterval)
	}
}

// progress is the progress of the queues that are followed and have been asked, and how many entries each has handed over. A queue that
// has handed over more than was recorded is in use.
func (w *Worker) progress(recorded map[string]uint64) (all []poll.Progress, handed map[string]uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	handed = map[string]uint64{}
	for _, address := range slices.Sorted(maps.Keys(w.queues)) {
		q := w.queues[address]
		asked := q.asked.Load()
		if asked == nil {
			continue
		}
		name := q.Name()
		handed[name] = q.handed.Load()
		p := poll.Progress{Queue: name, InUse: handed[name] != recorded[name]}
		if last := asked.success(); last != nil {
			p.Known, p.At, p.Behind = true, last.at, last.behind
		}
		p.InUse = p.InUse || !p.Known || p.Behind > 0
		all = append(all, p)
	}
	return all, handed
}
