package drain

import (
	"context"
	"fmt"
	"time"

	"swarm-scale/poll"
)

// Emptied says what Empty did with one queue.
type Emptied struct {
	// Stored is how many votes were saved, those that another worker may have saved just before included.
	Stored int64
	// Unreadable is how many entries that cannot be read were moved to the store, for a person to look at.
	Unreadable int
}

// Empty drains one queue to its last entry, other workers' unfinished ones and those set aside included, and returns nil
// only when the store has everything and the queue holds nothing. It is for a queue that is about to be taken away, and
// to which nothing is appended any more. It tries again after failures until ctx is done.
func Empty(ctx context.Context, store poll.Store, backlog poll.Backlog, options Options) (Emptied, error) {
	w := NewWorker(store, []poll.Backlog{backlog}, options)
	q := w.queues[0]
	retry := newBackoff(w.options.MinBackoff, time.Second)
	var emptied Emptied
	var lastErr error
	for {
		left, err := w.emptyOnce(ctx, q, &emptied)
		switch {
		case err == nil && left == 0:
			return emptied, nil
		case err == nil:
			lastErr = fmt.Errorf("%d entries are still in the queue", left)
		case ctx.Err() == nil:
			lastErr = err
			w.options.Log.Warn("cannot empty the queue, will try again", "queue", q.Name(), "error", err.Error())
		}
		if ctx.Err() != nil {
			if lastErr == nil {
				lastErr = ctx.Err()
			}
			return emptied, fmt.Errorf("%s is not empty: %w", q.Name(), lastErr)
		}
		sleep(ctx, retry.next())
	}
}

// emptyOnce goes through the whole queue once and returns how many entries are left.
func (w *Worker) emptyOnce(ctx context.Context, q *queue, emptied *Emptied) (left int64, err error) {
	if err := q.Prepare(ctx); err != nil {
		return 0, err
	}
	appetite := newAppetite(w.options.Batch)
	for {
		entries, err := q.Next(ctx, appetite.entries, 0)
		if err != nil {
			return 0, err
		}
		if len(entries) == 0 {
			break
		}
		appetite.had(entries)
		saved, err := w.process(ctx, q, entries)
		emptied.Stored += saved
		if err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	saved, err := w.takeOver(ctx, q, 0)
	emptied.Stored += saved
	if err != nil {
		return 0, err
	}
	for {
		aside, err := q.SetAsides(ctx, 100)
		if err != nil {
			return 0, err
		}
		if len(aside) == 0 {
			return q.Size(ctx)
		}
		if err := w.store.KeepUnreadable(ctx, aside); err != nil {
			return 0, err
		}
		if err := q.Discard(ctx, aside); err != nil {
			return 0, err
		}
		emptied.Unreadable += len(aside)
	}
}
