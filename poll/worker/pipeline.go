package worker

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"swarm-scale/poll"
)

// pipeline takes votes from the queue in three stages that work side by side: while one batch is saved, the next one is read
// and the one before is acknowledged. It goes on until it is time to recheck, or somebody left entries, followed is done or a stage
// fails; then it finishes what it has read. What it cannot finish stays unfinished in the queue. It calls healthy after each batch.
func (w *Worker) pipeline(ctx, followed context.Context, q *queue, healthy func()) error {
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	handedOut := make(chan []poll.Entry, 1)
	stored := make(chan saved, 1)
	var stages errgroup.Group
	stages.Go(func() error {
		defer close(handedOut)
		return w.readStage(reading, followed, q, handedOut)
	})
	stages.Go(func() error {
		defer close(stored)
		return w.saveStage(q, handedOut, stored, stopReading)
	})
	stages.Go(func() error {
		return w.finishStage(q, stored, stopReading, healthy)
	})
	return stages.Wait()
}

// readStage takes entries until it is time to recheck or followed is done.
func (w *Worker) readStage(ctx, followed context.Context, q *queue, handedOut chan<- []poll.Entry) error {
	started := time.Now()
	appetite := newAppetite(w.options.Batch / 2) // the other half while those are gathered
	for ctx.Err() == nil && followed.Err() == nil && time.Since(started) < w.options.Recheck && !q.abandoned.Load() {
		q.alive()
		entries, err := q.Next(ctx, appetite.entries, w.options.Wait)
		if ctx.Err() != nil {
			// Another stage failed and says why, or the worker stops. What was read just now can still be saved.
			err = nil
		}
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			appetite.had(entries)
			handedOut <- entries
		}
	}
	return nil
}

// saveStage saves whatever was read meanwhile, up to a batch together; a lone vote waits for no others. After a failure it
// stops the reading and drops what was read.
func (w *Worker) saveStage(q *queue, handedOut <-chan []poll.Entry, stored chan<- saved, stopReading func()) error {
	var failure error
	for entries := range handedOut {
		if failure != nil {
			continue
		}
		batch, err := w.save(q, gather(entries, handedOut, w.options.Batch))
		if err != nil {
			failure = err
			stopReading()
			continue
		}
		stored <- batch
	}
	return failure
}

// gather adds to the entries those that are ready, until they have enough votes.
func gather(entries []poll.Entry, ready <-chan []poll.Entry, enough int) []poll.Entry {
	for votes := countVotes(entries); votes < enough; {
		select {
		case more, open := <-ready:
			if !open {
				return entries
			}
			entries = append(entries, more...)
			votes += countVotes(more)
		default:
			return entries
		}
	}
	return entries
}

// finishStage finishes the batches that are saved.
func (w *Worker) finishStage(q *queue, stored <-chan saved, stopReading, healthy func()) error {
	var failure error
	for batch := range stored {
		if failure != nil {
			continue
		}
		if failure = w.finish(q, batch); failure != nil {
			stopReading()
			continue
		}
		healthy()
	}
	return failure
}

func countVotes(entries []poll.Entry) int {
	votes := 0
	for _, entry := range entries {
		votes += len(entry.Votes)
	}
	return votes
}

// mostEntries is how many entries are taken from a queue in one step at most: Redis needs a few milliseconds for so many, and
// answers no voter meanwhile.
const mostEntries = 1000

// appetite is how many entries to take next. An entry has as many votes as came in together, from one to hundreds, and only
// the entry itself says how many. So appetite begins with few and doubles while there are more. It takes no more than hold the
// wanted votes if they are like the last ones.
type appetite struct {
	entries int // to take next
	votes   int // wanted
}

func newAppetite(votes int) appetite {
	return appetite{entries: max(1, min(votes, 16)), votes: max(1, votes)}
}

// had learns from what was taken.
func (a *appetite) had(entries []poll.Entry) {
	if len(entries) >= a.entries {
		a.entries *= 2
	}
	if votes := countVotes(entries); votes > 0 {
		a.entries = min(a.entries, a.votes*len(entries)/votes)
	}
	a.entries = max(1, min(a.entries, mostEntries))
}
