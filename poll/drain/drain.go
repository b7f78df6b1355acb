// Package drain is the worker: it moves votes from queues to the store, so that each is stored before its queue forgets
// it. It knows queues and store only by the interfaces of package poll.
//
// Each queue is drained by itself, so that one that is idle or cannot be reached never holds up another. Again and again a
// batch is taken, saved and acknowledged. Whatever goes wrong in between, the batch is still in the queue, and saving a
// vote twice is saving it once.
package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"swarm-scale/poll"
)

// Options adjust a worker. The zero value means the defaults.
type Options struct {
	// Batch is about how many votes are saved at once, 10,000 by default; as many again may be in the worker's hands before
	// and after. It bounds memory: about 1 KB per vote and queue.
	Batch int
	// Wait is how long one look into an empty queue waits for a vote, 2 s by default.
	Wait time.Duration
	// Recheck is how often a worker looks for entries that were handed out and not acknowledged, 30 s by default; and
	// IdleAfter is how long another worker must have left one alone to count as gone, a minute by default.
	Recheck, IdleAfter time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure, 100 ms to 5 s by default.
	MinBackoff, MaxBackoff time.Duration
	// StepTimeout is how long one step (saving or acknowledging a batch) may take, a minute by default; it is also how long
	// a worker that is told to stop may go on with the batch in its hands.
	StepTimeout time.Duration
	// Log gets what happens, without voters.
	Log *slog.Logger
	// Metrics counts what happens.
	Metrics *Metrics
}

func (o Options) withDefaults() Options {
	setDefault(&o.Batch, 10_000)
	setDefault(&o.Wait, 2*time.Second)
	setDefault(&o.Recheck, 30*time.Second)
	setDefault(&o.IdleAfter, time.Minute)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 5*time.Second)
	setDefault(&o.StepTimeout, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return o
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// Worker drains queues into a store.
type Worker struct {
	store   poll.Store
	options Options
	queues  []*queue
}

// queue is one queue and how it is doing.
type queue struct {
	poll.Backlog
	lastStep atomic.Int64 // UnixNano of the last sign of life of its goroutine
	fault    atomic.Pointer[string]
}

// NewWorker makes a worker for these queues.
func NewWorker(store poll.Store, backlogs []poll.Backlog, options Options) *Worker {
	w := &Worker{store: store, options: options.withDefaults()}
	for _, backlog := range backlogs {
		q := &queue{Backlog: backlog}
		q.alive()
		starting := "not reached yet"
		q.fault.Store(&starting)
		w.options.Metrics.expect(q.Name())
		w.queues = append(w.queues, q)
	}
	return w
}

func (q *queue) alive() { q.lastStep.Store(time.Now().UnixNano()) }

// Run drains all queues, for ever, through every failure of theirs and of the store, until ctx is done; then it finishes
// the batches in its hands and returns.
func (w *Worker) Run(ctx context.Context) {
	var group errgroup.Group
	for _, q := range w.queues {
		group.Go(func() error {
			w.runQueue(ctx, q)
			return nil
		})
		group.Go(func() error {
			w.measure(ctx, q)
			return nil
		})
	}
	_ = group.Wait() // they return no errors
}

// runQueue drains one queue until ctx is done.
func (w *Worker) runQueue(ctx context.Context, q *queue) {
	log := w.options.Log.With("queue", q.Name())
	retry := newBackoff(w.options.MinBackoff, w.options.MaxBackoff)
	for ctx.Err() == nil {
		err := w.drainUntilFailure(ctx, q, func() {
			if q.fault.Swap(nil) != nil {
				log.Info("draining the queue")
			}
			retry.reset()
		})
		if ctx.Err() != nil {
			break
		}
		q.alive()
		fault := err.Error()
		previous := q.fault.Swap(&fault)
		w.options.Metrics.failures.WithLabelValues(q.Name()).Inc()
		pause := retry.next()
		if previous == nil || *previous != fault { // one line per kind of trouble, not one per attempt
			log.Warn("cannot drain the queue, will try again", "error", fault, "pause", pause.String())
		}
		sleep(ctx, pause)
	}
	log.Info("stopped draining the queue")
}

// drainUntilFailure drains the queue until a step fails or ctx is done. It begins with what was handed out before: after
// a start, or a failure, that is where the unfinished votes are. It calls healthy after each round without a failure.
func (w *Worker) drainUntilFailure(ctx context.Context, q *queue, healthy func()) error {
	if err := q.Prepare(ctx); err != nil {
		return err
	}
	if err := w.recheck(ctx, q); err != nil {
		return err
	}
	for ctx.Err() == nil {
		healthy()
		if err := w.pipeline(ctx, q, healthy); err != nil {
			return err
		}
		if err := w.recheck(ctx, q); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// recheck makes sure that the store can be reached, even while no votes come, and finishes what is unfinished.
func (w *Worker) recheck(ctx context.Context, q *queue) error {
	_, err := withTimeout(ctx, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.store.Prepare(ctx)
	})
	if err != nil {
		return err
	}
	if err := w.finishUnfinished(ctx, q); err != nil {
		return err
	}
	_, err = w.takeOver(ctx, q, w.options.IdleAfter)
	return err
}

// finishUnfinished processes what was handed to this worker earlier.
func (w *Worker) finishUnfinished(ctx context.Context, q *queue) error {
	after := ""
	appetite := newAppetite(w.options.Batch)
	for ctx.Err() == nil {
		q.alive()
		entries, err := q.Unfinished(ctx, appetite.entries, after)
		if err != nil || len(entries) == 0 {
			return err
		}
		if _, err := w.process(ctx, q, entries); err != nil {
			return err
		}
		after = entries[len(entries)-1].ID
		appetite.had(entries)
	}
	return ctx.Err()
}

// takeOver processes what was handed to any worker and left alone for idle. It returns how many votes it saved.
func (w *Worker) takeOver(ctx context.Context, q *queue, idle time.Duration) (int64, error) {
	var saved int64
	cursor := ""
	appetite := newAppetite(w.options.Batch)
	for ctx.Err() == nil {
		q.alive()
		entries, next, err := q.TakeOver(ctx, appetite.entries, idle, cursor)
		if err != nil {
			return saved, err
		}
		if len(entries) > 0 {
			w.options.Log.Info("took over entries that another worker left unfinished",
				"queue", q.Name(), "entries", len(entries))
		}
		n, err := w.process(ctx, q, entries)
		saved += n
		if err != nil || next == "" {
			return saved, err
		}
		cursor = next
		appetite.had(entries)
	}
	return saved, ctx.Err()
}

// process saves the votes among the entries and then finishes with the entries. It returns how many votes it saved. Once
// begun it goes on although ctx is done, within the time for each step.
func (w *Worker) process(ctx context.Context, q *queue, entries []poll.Entry) (int64, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	saved, err := w.save(ctx, q, entries)
	if err != nil {
		return 0, err
	}
	return saved.votes, w.finish(ctx, q, saved)
}

// saved is a batch whose votes the store has.
type saved struct {
	votes      int64
	done       []string     // entries that are not needed any more, in their order
	unreadable []poll.Entry // entries to be set aside
}

// save saves the votes among the entries.
func (w *Worker) save(ctx context.Context, q *queue, entries []poll.Entry) (saved, error) {
	metrics, name := w.options.Metrics, q.Name()
	metrics.read.WithLabelValues(name).Add(float64(len(entries)))
	batch := saved{done: make([]string, 0, len(entries))}
	votes := make([]poll.Vote, 0, countVotes(entries))
	oldest := time.Now()
	for _, entry := range entries {
		if entry.Fault != nil {
			batch.unreadable = append(batch.unreadable, entry)
		} else {
			batch.done = append(batch.done, entry.ID)
		}
		votes = append(votes, entry.Votes...)
		if len(entry.Votes) > 0 && entry.QueuedAt.Before(oldest) {
			oldest = entry.QueuedAt
		}
	}
	if len(votes) == 0 {
		return batch, nil
	}
	started := time.Now()
	changed, err := withTimeout(context.WithoutCancel(ctx), w.options.StepTimeout, func(ctx context.Context) (int64, error) {
		return w.store.Save(ctx, votes)
	})
	if err != nil {
		return saved{}, err
	}
	metrics.saveSeconds.Observe(time.Since(started).Seconds())
	metrics.stored.WithLabelValues(name).Add(float64(len(votes)))
	metrics.changed.WithLabelValues(name).Add(float64(changed))
	metrics.lag.WithLabelValues(name).Set(time.Since(oldest).Seconds())
	batch.votes = int64(len(votes))
	return batch, nil
}

// finish acknowledges the entries of a saved batch and sets the unreadable ones aside, in this order: an entry that cannot
// even be set aside must not keep the votes beside it.
func (w *Worker) finish(ctx context.Context, q *queue, batch saved) error {
	ctx = context.WithoutCancel(ctx)
	q.alive()
	started := time.Now()
	_, err := withTimeout(ctx, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, q.Acknowledge(ctx, batch.done)
	})
	if err != nil {
		return err
	}
	w.options.Metrics.acknowledgeSeconds.Observe(time.Since(started).Seconds())
	w.setAside(ctx, q, batch.unreadable)
	return nil
}

// setAside moves unreadable entries out of the way. What cannot be moved now, because Redis is out of memory, say, stays
// unfinished, and the next recheck tries again.
func (w *Worker) setAside(ctx context.Context, q *queue, unreadable []poll.Entry) {
	for _, entry := range unreadable {
		log := w.options.Log.With("queue", q.Name(), "entry", entry.ID, "reason", oneLine(entry.Fault))
		_, err := withTimeout(ctx, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, q.SetAside(ctx, entry.ID, oneLine(entry.Fault))
		})
		if err != nil {
			log.Error("an entry cannot be read, nor set aside now; will try again", "error", err.Error())
			continue
		}
		w.options.Metrics.unreadable.WithLabelValues(q.Name()).Inc()
		log.Error("an entry cannot be read as votes, or not all of it, and was set aside")
	}
}

// measure keeps the gauges of what the queue holds true.
func (w *Worker) measure(ctx context.Context, q *queue) {
	for ctx.Err() == nil {
		size, err := withTimeout(ctx, 5*time.Second, q.Size)
		if err == nil {
			w.options.Metrics.backlog.WithLabelValues(q.Name()).Set(float64(size))
			if size == 0 {
				w.options.Metrics.lag.WithLabelValues(q.Name()).Set(0)
			}
		}
		if aside, err := withTimeout(ctx, 5*time.Second, q.AsideSize); err == nil {
			w.options.Metrics.deadLetters.WithLabelValues(q.Name()).Set(float64(aside))
		}
		sleep(ctx, 5*time.Second)
	}
}

// Alive returns nil while every queue's goroutine shows signs of life: it works, waits for votes, or waits to try again.
func (w *Worker) Alive() error {
	limit := 2*w.options.StepTimeout + w.options.Wait + w.options.MaxBackoff
	var faults []error
	for _, q := range w.queues {
		if silent := time.Since(time.Unix(0, q.lastStep.Load())); silent > limit {
			faults = append(faults, fmt.Errorf("%s: no sign of life for %s", q.Name(), silent.Round(time.Second)))
		}
	}
	return errors.Join(faults...)
}

// Ready returns nil while every queue is being drained into the store; otherwise it says which one is not, and why.
func (w *Worker) Ready() error {
	var faults []error
	for _, q := range w.queues {
		if fault := q.fault.Load(); fault != nil {
			faults = append(faults, fmt.Errorf("%s: %s", q.Name(), *fault))
		}
	}
	return errors.Join(faults...)
}

// withTimeout runs a step that may take so long.
func withTimeout[T any](ctx context.Context, limit time.Duration, step func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return step(ctx)
}
