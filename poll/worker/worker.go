// Package worker moves votes from queues to the database, so that each is stored before its queue forgets it. A [Worker] takes
// votes from its queues as they come; [Drain] takes what one queue holds until it is empty. The package
// knows queues and database only by the interfaces of package poll.
//
// A worker serves each queue by itself, so that one that is idle or cannot be reached never holds up another. Again and again
// a batch is taken, saved and acknowledged. Whatever goes wrong in between, the batch is still in the queue, and saving a vote
// twice is saving it once.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"swarm-scale/poll"
)

// Options adjust a worker. The zero value means the defaults.
type Options struct {
	// Batch is about how many votes are saved at once, 10,000 by default. The worker may hold as many again before and after.
	// It bounds memory: about 1 KB per vote and queue.
	Batch int
	// Wait is how long one read of an empty queue waits for a vote, 2 s by default.
	Wait time.Duration
	// Recheck is how often a worker looks for entries that were handed out and not acknowledged, 30 s by default; and
	// IdleAfter is how long another worker must have left one alone to count as gone, 20 s by default. If it was only slow, both store
	// the votes, which does no harm.
	Recheck, IdleAfter time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure, 100 ms to 5 s by default.
	MinBackoff, MaxBackoff time.Duration
	// StepTimeout is how long one step (saving or acknowledging a batch) may take, a minute by default.
	StepTimeout time.Duration
	// StopTimeout is how long a worker that is told to stop goes on with what it holds, 5 s by default. Then it hands back what is left,
	// for which it takes a second more: Docker kills after 10 s.
	StopTimeout time.Duration
	// Copies is in how many queues each vote is, 1 by default. With more, the worker remembers for seconds what it has stored.
	Copies int
	// Log gets what happens, without voters; nil for no log.
	Log *slog.Logger
	// Metrics counts what happens; nil for no metrics.
	Metrics *Metrics
}

func (o Options) withDefaults() Options {
	setDefault(&o.Batch, 10_000)
	setDefault(&o.Wait, 2*time.Second)
	setDefault(&o.Recheck, 30*time.Second)
	setDefault(&o.IdleAfter, 20*time.Second)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 5*time.Second)
	setDefault(&o.StepTimeout, time.Minute)
	setDefault(&o.StopTimeout, 5*time.Second)
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

// Worker takes votes from a set of queues, which may change while it works, and saves them.
type Worker struct {
	votes   poll.Votes
	memory  *memory // nil: each vote is in one queue
	open    func(address string) (poll.Backlog, error)
	options Options
	running sync.WaitGroup
	record  sync.Once

	recorded atomic.Pointer[attempt] // the latest attempt to record the progress

	mu     sync.Mutex
	queues map[string]*queue          // those followed, by address
	ended  map[string]<-chan struct{} // the end of the latest queue of each name
}

// queue is one queue that the worker follows, and how it is doing.
type queue struct {
	poll.Backlog
	leave    context.CancelFunc
	lastStep atomic.Int64 // UnixNano of the last sign of life of its goroutine
	fault    atomic.Pointer[string]
	// abandoned is set when another worker has left entries that somebody has to take over.
	abandoned atomic.Bool
	// asked is the latest attempt to ask the queue how far behind it is.
	asked atomic.Pointer[attempt]
	// handed is how many entries the queue has handed over.
	handed atomic.Uint64
	// steps is the context of steps that are begun: it ends StopTimeout after the worker is told to stop.
	steps context.Context
}

// New makes a worker without queues; Follow gives it some. It saves into votes, and open makes the backlog of the
// queue at an address, without reaching it.
func New(votes poll.Votes, open func(address string) (poll.Backlog, error), options Options) *Worker {
	w := &Worker{votes: votes, open: open, options: options.withDefaults(), queues: map[string]*queue{}, ended: map[string]<-chan struct{}{}}
	if options.Copies > 1 {
		w.memory = newMemory()
	}
	return w
}

func newQueue(backlog poll.Backlog) *queue {
	q := &queue{Backlog: backlog, steps: context.Background()}
	q.alive()
	starting := "not reached yet"
	q.fault.Store(&starting)
	return q
}

func (q *queue) alive() { q.lastStep.Store(time.Now().UnixNano()) }

// Follow has the worker take votes from exactly these queues from now on, through every failure of theirs and of the
// database, until ctx is done. Queues that it follows already go on as they are. One that is not listed any more is left: the
// batch in hand is stored and acknowledged, the connections are closed, and its metrics end. If a queue cannot be opened, the
// queues stay as they were.
//
// One goroutine at a time may call it.
func (w *Worker) Follow(ctx context.Context, addresses []string) error {
	added := map[string]*queue{}
	for _, address := range addresses {
		if w.queues[address] != nil || added[address] != nil {
			continue
		}
		backlog, err := w.open(address)
		if err != nil {
			for _, q := range added {
				q.Close()
			}
			return fmt.Errorf("open the queue at %s: %w", address, err)
		}
		added[address] = newQueue(backlog)
	}
	w.mu.Lock() // not before: opening a queue takes time, and Alive and Ready must not wait for it
	defer w.mu.Unlock()
	for address, q := range w.queues {
		if !slices.Contains(addresses, address) {
			q.leave()
			delete(w.queues, address)
		}
	}
	for address, q := range added {
		w.queues[address] = q
		w.start(ctx, q)
	}
	w.record.Do(func() { w.running.Go(func() { w.recordProgress(ctx) }) })
	return nil
}

// Wait returns when the worker has left all queues, after the end of the context that Follow was given.
func (w *Worker) Wait() { w.running.Wait() }

// start takes votes from a queue until ctx is done or the queue is left. A queue that was left and is listed again begins when
// the one before it has ended.
//
// Two contexts, because leaving is no hurry: it waits for the read to end. The end of ctx cancels a read, also one that was just
// handed entries. In the end, whatever was handed to this worker is stored and acknowledged, or handed back.
func (w *Worker) start(ctx context.Context, q *queue) {
	followed, leave := context.WithCancel(ctx)
	q.leave = leave
	before, ended := w.ended[q.Name()], make(chan struct{})
	w.ended[q.Name()] = ended
	w.running.Go(func() {
		defer close(ended)
		if before != nil {
			<-before
		}
		w.options.Metrics.begin(q.Name())
		defer w.options.Metrics.end(q.Name())
		defer q.Close()
		var measuring sync.WaitGroup
		measuring.Go(func() { w.measure(followed, q) })
		measuring.Go(func() { w.watch(followed, q) })
		var end context.CancelFunc
		q.steps, end = outlive(ctx, w.options.StopTimeout)
		defer end()
		w.runQueue(ctx, followed, q)
		w.finishBeforeLeaving(q)
		measuring.Wait()
	})
}

// outlive is a context that ends so long after the end of ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		sleep(longer, grace)
		end()
	})
	return longer, func() {
		unhook()
		end()
	}
}

// handBackTimeout is how long it may take to hand entries back.
const handBackTimeout = time.Second

// finishBeforeLeaving finishes what a failure, or a read that was cancelled, left unfinished: this worker may not come back to the
// queue. What it cannot finish it hands back.
func (w *Worker) finishBeforeLeaving(q *queue) {
	_, err := withTimeout(q.steps, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.finishUnfinished(ctx, q)
	})
	if err == nil {
		return
	}
	log := w.options.Log.With("queue", q.Name(), "error", oneLine(err))
	_, err = withTimeout(context.WithoutCancel(q.steps), handBackTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, q.HandBack(ctx)
	})
	if err != nil {
		log.Warn("left the queue with unfinished entries; in 20 s another worker takes them over, or `drain` stores them")
		return
	}
	log.Warn("handed back unfinished entries, for another worker")
}

// runQueue takes votes from one queue until followed is done.
func (w *Worker) runQueue(ctx, followed context.Context, q *queue) {
	log := w.options.Log.With("queue", q.Name())
	retry := newBackoff(w.options.MinBackoff, w.options.MaxBackoff)
	for followed.Err() == nil {
		err := w.takeUntilFailure(ctx, followed, q, func() {
			if q.fault.Swap(nil) != nil {
				log.Info("taking votes from the queue")
			}
			retry.reset()
		})
		if followed.Err() != nil {
			break
		}
		q.alive()
		fault := err.Error()
		previous := q.fault.Swap(&fault)
		w.options.Metrics.failures.WithLabelValues(q.Name()).Inc()
		pause := retry.next()
		if previous == nil || *previous != fault { // one line per kind of trouble, not one per attempt
			log.Warn("cannot take votes from the queue, will try again", "error", fault, "pause", pause.String())
		}
		sleep(followed, pause)
	}
	log.Info("stopped taking votes from the queue")
}

// takeUntilFailure takes votes from the queue until a step fails or followed is done. It begins with what was handed out before:
// after a start, or a failure, the unfinished votes are there. It calls healthy after each round without a failure.
func (w *Worker) takeUntilFailure(ctx, followed context.Context, q *queue, healthy func()) error {
	if err := q.Prepare(ctx); err != nil {
		return err
	}
	if err := w.recheck(ctx, q); err != nil {
		return err
	}
	for followed.Err() == nil {
		healthy()
		if err := w.pipeline(ctx, followed, q, healthy); err != nil {
			return err
		}
		if followed.Err() != nil {
			break
		}
		if err := w.recheck(ctx, q); err != nil {
			return err
		}
	}
	return followed.Err()
}

// recheck makes sure that the database can be reached, even while no votes come, and finishes what is unfinished.
func (w *Worker) recheck(ctx context.Context, q *queue) error {
	_, err := withTimeout(ctx, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.votes.Prepare(ctx)
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

// finishUnfinished processes what was handed to this consumer earlier.
func (w *Worker) finishUnfinished(ctx context.Context, q *queue) error {
	after := ""
	appetite := newAppetite(w.options.Batch)
	for ctx.Err() == nil {
		q.alive()
		entries, err := q.Unfinished(ctx, appetite.entries, after)
		if err != nil || len(entries) == 0 {
			return err
		}
		if _, err := w.process(q, entries); err != nil {
			return err
		}
		after = entries[len(entries)-1].ID
		appetite.had(entries)
	}
	return ctx.Err()
}

// takeOver processes what was handed to any consumer and left alone for idle. It returns how many votes it saved.
func (w *Worker) takeOver(ctx context.Context, q *queue, idle time.Duration) (int64, error) {
	q.abandoned.Store(false)
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
		n, err := w.process(q, entries)
		saved += n
		if err != nil || next == "" {
			return saved, err
		}
		cursor = next
		appetite.had(entries)
	}
	return saved, ctx.Err()
}

// process saves the votes among the entries and then finishes the entries. It returns how many votes it saved.
func (w *Worker) process(q *queue, entries []poll.Entry) (int64, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	saved, err := w.save(q, entries)
	if err != nil {
		return 0, err
	}
	return saved.votes, w.finish(q, saved)
}

// saved is a batch whose votes the database has.
type saved struct {
	votes       int64
	done        []string     // entries that are not needed any more, in their order
	deadLetters []poll.Entry // entries that cannot be read, or not all of them
}

// save saves the votes among the entries.
func (w *Worker) save(q *queue, entries []poll.Entry) (saved, error) {
	metrics, name := w.options.Metrics, q.Name()
	metrics.read.WithLabelValues(name).Add(float64(len(entries)))
	q.handed.Add(uint64(len(entries)))
	batch := saved{done: make([]string, 0, len(entries))}
	votes := make([]poll.Vote, 0, countVotes(entries))
	oldest := time.Now()
	for _, entry := range entries {
		if entry.Fault != nil {
			batch.deadLetters = append(batch.deadLetters, entry)
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
	var changed int64
	stored, err := withTimeout(q.steps, w.options.StepTimeout, func(ctx context.Context) (stored int, err error) {
		stored, changed, err = w.store(ctx, votes)
		return stored, err
	})
	if err != nil {
		return saved{}, err
	}
	if stored > 0 {
		metrics.saveSeconds.Observe(time.Since(started).Seconds())
	}
	metrics.stored.WithLabelValues(name).Add(float64(stored))
	metrics.copies.WithLabelValues(name).Add(float64(len(votes) - stored))
	metrics.changed.WithLabelValues(name).Add(float64(changed))
	metrics.lag.WithLabelValues(name).Set(time.Since(oldest).Seconds())
	batch.votes = int64(len(votes))
	return batch, nil
}

// store stores votes, but for copies of those that the worker has just stored. It returns how many it stored, and how many voters are new or
// changed.
func (w *Worker) store(ctx context.Context, votes []poll.Vote) (stored int, changed int64, err error) {
	save := func(votes []poll.Vote) (int64, error) { return w.votes.Save(ctx, votes) }
	if w.memory != nil {
		return w.memory.store(ctx, votes, save)
	}
	changed, err = save(votes)
	return len(votes), changed, err
}

// finish acknowledges the entries of a saved batch and then moves its dead letters. In this order, because a dead letter that
// cannot be moved must not keep the votes beside it.
func (w *Worker) finish(q *queue, batch saved) error {
	q.alive()
	started := time.Now()
	_, err := withTimeout(q.steps, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, q.Acknowledge(ctx, batch.done)
	})
	if err != nil {
		return err
	}
	w.options.Metrics.acknowledgeSeconds.Observe(time.Since(started).Seconds())
	w.moveDeadLetters(q, batch.deadLetters)
	return nil
}

// moveDeadLetters moves entries that cannot be read. One that cannot be moved now, because Redis is out of memory, say, stays
// unfinished, and the next recheck tries again.
func (w *Worker) moveDeadLetters(q *queue, letters []poll.Entry) {
	for _, entry := range letters {
		log := w.options.Log.With("queue", q.Name(), "entry", entry.ID, "reason", oneLine(entry.Fault))
		_, err := withTimeout(q.steps, w.options.StepTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, q.MoveToDeadLetters(ctx, entry.ID, oneLine(entry.Fault))
		})
		if err != nil {
			log.Error("an entry cannot be read, nor moved to the dead letters now; will try again", "error", err.Error())
			continue
		}
		w.options.Metrics.moved.WithLabelValues(q.Name()).Inc()
		log.Error("an entry cannot be read as votes, or not all of it, and is now a dead letter")
	}
}

// measure sets the gauges of what the queue holds, again and again until ctx is done.
func (w *Worker) measure(ctx context.Context, q *queue) {
	for ctx.Err() == nil {
		size, err := withTimeout(ctx, 5*time.Second, q.Size)
		if err == nil {
			w.options.Metrics.backlog.WithLabelValues(q.Name()).Set(float64(size))
			if size == 0 {
				w.options.Metrics.lag.WithLabelValues(q.Name()).Set(0)
			}
		}
		if letters, err := withTimeout(ctx, 5*time.Second, q.DeadLetterCount); err == nil {
			w.options.Metrics.deadLetters.WithLabelValues(q.Name()).Set(float64(letters))
		}
		sleep(ctx, 5*time.Second)
	}
}

// Alive returns nil while every queue's goroutine shows signs of life: it works, waits for votes, or waits to try again.
func (w *Worker) Alive() error {
	limit := 2*w.options.StepTimeout + w.options.Wait + w.options.MaxBackoff
	return w.check(func(q *queue) error {
		if silent := time.Since(time.Unix(0, q.lastStep.Load())); silent > limit {
			return fmt.Errorf("%s: no sign of life for %s", q.Name(), silent.Round(time.Second))
		}
		return nil
	})
}

// Stores returns nil once the database has taken the progress, and while it does.
func (w *Worker) Stores() error {
	if w.recorded.Load() == nil {
		return errors.New("the progress has not been recorded yet")
	}
	return w.unrecorded()
}

// unrecorded says why the last attempt to record the progress failed.
func (w *Worker) unrecorded() error {
	if fault := w.recorded.Load().fault(); fault != nil {
		return fmt.Errorf("the progress cannot be recorded: %w", fault)
	}
	return nil
}

// Ready returns nil while every queue and the database can be reached, and votes are taken and saved; otherwise it says from which
// queue not, and why. It notices within seconds, also while no votes come.
func (w *Worker) Ready() error {
	return errors.Join(w.unrecorded(), w.check(func(q *queue) error {
		if fault := q.fault.Load(); fault != nil {
			return fmt.Errorf("%s: %s", q.Name(), *fault)
		}
		if err := q.asked.Load().fault(); err != nil {
			return fmt.Errorf("%s: %w", q.Name(), err)
		}
		return nil
	}))
}

// check joins what is wrong with the queues, in the order of their addresses.
func (w *Worker) check(queue func(*queue) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var faults []error
	for _, address := range slices.Sorted(maps.Keys(w.queues)) {
		faults = append(faults, queue(w.queues[address]))
	}
	return errors.Join(faults...)
}

// withTimeout runs a step that may take so long.
func withTimeout[T any](ctx context.Context, limit time.Duration, step func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return step(ctx)
}
