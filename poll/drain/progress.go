package drain

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

// recordProgress records how far behind each queue is, again and again until ctx is done. It begins with forgetting queues that an
// earlier worker followed and this one does not. If another worker follows them, it records them again within a second.
func (w *Worker) recordProgress(ctx context.Context) {
	begun := false
	var noted []string
	for ctx.Err() == nil {
		at := time.Now()
		progress, left := w.progress(noted)
		_, err := withTimeout(ctx, watchTimeout, func(ctx context.Context) (struct{}, error) {
			if err := w.votes.Record(ctx, progress); err != nil {
				return struct{}{}, err
			}
			noted = names(progress)
			if !begun {
				if err := w.votes.ForgetOthers(ctx, noted); err != nil {
					return struct{}{}, err
				}
				begun = true
			}
			if len(left) == 0 {
				return struct{}{}, nil
			}
			return struct{}{}, w.votes.Forget(ctx, left)
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.forget(left) // the next time
		}
		w.recorded.Store(w.recorded.Load().next(at, 0, err))
		sleep(ctx, watchInterval)
	}
}

func names(progress []poll.Progress) []string {
	all := make([]string, len(progress))
	for i, p := range progress {
		all[i] = p.Queue
	}
	return all
}

// progress is the progress of the queues that are followed, and which queues are to be forgotten. Those that are noted already do not
// begin.
func (w *Worker) progress(noted []string) (all []poll.Progress, left []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range slices.Sorted(maps.Keys(w.queues)) {
		q := w.queues[address]
		p := poll.Progress{Queue: q.Name(), Begins: !slices.Contains(noted, q.Name())}
		if last := q.asked.Load().success(); last != nil {
			p.Known, p.At, p.Behind = true, last.at, last.behind
		}
		all = append(all, p)
	}
	left, w.left = w.left, nil
	return all, left
}

// forget has the progress of queues forgotten. That is recordProgress's task, so that no earlier progress is recorded afterwards.
func (w *Worker) forget(queues []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = append(w.left, queues...)
}

// forgetIfEmpty forgets a queue that was left, unless it still holds votes: then somebody has to drain it, and the results are not
// live until then.
func (w *Worker) forgetIfEmpty(ctx context.Context, q *queue) {
	size, err := withTimeout(ctx, watchTimeout, q.Size)
	switch {
	case err != nil:
		w.options.Log.Warn("left a queue without knowing that it is empty; `drain` drains it", "queue", q.Name(), "error", oneLine(err))
	case size == 0:
		w.forget([]string{q.Name()})
	}
}
