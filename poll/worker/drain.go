package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"swarm-scale/poll"
)

// settleTime is how long a worker may take until it has noted that a queue handed it votes.
const settleTime = watchInterval + watchTimeout

// Drained is what Drain took from one queue.
type Drained struct {
	// Votes is how many votes were saved, including those that another worker may have saved just before.
	Votes int64
	// DeadLetters is how many dead letters were moved to the database, for a person to look at.
	DeadLetters int
}

// Drain empties one queue: it takes what the queue holds, including other consumers' unfinished entries and the dead letters,
// and returns nil only when the database has everything and the queue is empty. It is for a queue that is about to be taken
// away, and to which nothing is appended any more. Workers may still follow it. It tries again after failures until ctx is done.
func Drain(ctx context.Context, votes poll.Votes, backlog poll.Backlog, options Options) (Drained, error) {
	w := New(votes, nil, options)
	q := newQueue(backlog)
	steps, end := outlive(ctx, w.options.StopTimeout)
	defer end()
	q.steps = steps
	retry := newBackoff(w.options.MinBackoff, time.Second)
	var drained Drained
	var lastErr error
	settled := false
	for {
		left, err := w.drainOnce(ctx, q, &drained)
		switch {
		case err == nil && left == 0 && !settled:
			settled = true
			lastErr = errors.New("there was no time to wait for what workers note of it")
			sleep(ctx, settleTime)
			continue
		case err == nil && left == 0:
			if lastErr = votes.Retire(ctx, []string{q.Name()}); lastErr == nil {
				return drained, nil
			}
		case err == nil:
			lastErr = fmt.Errorf("%d entries are still in the queue", left)
		case ctx.Err() == nil:
			lastErr = err
			w.options.Log.Warn("cannot drain the queue, will try again", "queue", q.Name(), "error", err.Error())
		}
		if ctx.Err() != nil {
			if lastErr == nil {
				lastErr = ctx.Err()
			}
			return drained, fmt.Errorf("%s is not empty: %w", q.Name(), lastErr)
		}
		sleep(ctx, retry.next())
	}
}

// drainOnce goes through the whole queue once and returns how many entries are left.
func (w *Worker) drainOnce(ctx context.Context, q *queue, drained *Drained) (left int64, err error) {
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
		saved, err := w.process(q, entries)
		drained.Votes += saved
		if err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	saved, err := w.takeOver(ctx, q, 0)
	drained.Votes += saved
	if err != nil {
		return 0, err
	}
	for {
		letters, err := q.DeadLetters(ctx, 100)
		if err != nil {
			return 0, err
		}
		if len(letters) == 0 {
			return q.Size(ctx)
		}
		if err := w.votes.KeepDeadLetters(ctx, letters); err != nil {
			return 0, err
		}
		if err := q.DiscardDeadLetters(ctx, letters); err != nil {
			return 0, err
		}
		drained.DeadLetters += len(letters)
	}
}
