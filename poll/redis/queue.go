package redis

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// healthLife is how long the key that CheckWritable writes stays in Redis.
const healthLife = time.Minute

// gatherTime is the least time between two writes to Redis while votes are waiting. It lets more votes share a write, and is a
// fraction of what a disk takes to sync.
const gatherTime = 300 * time.Microsecond

// arrivals is how many votes may wait for the next write. Further votes wait until there is room.
const arrivals = 8 * maxVotes

// Queue is the vote page's side of the stream. It implements poll.Queue. With several copies it writes each entry to its own Redis and to
// others, side by side. Nobody chooses among them: storing a vote twice is storing it once.
//
// A vote is sent at once if no write is in flight, so a lone voter waits for nobody. Votes that come during a write go out
// together as one entry when Redis has answered. So under load Redis takes (and, with appendfsync always, syncs to disk) many
// votes for the price of one.
type Queue struct {
	options  []Option
	copies   int
	places   atomic.Pointer[[]*place] // its own Redis, then the partners; the list itself does not change
	address  string
	log      *slog.Logger
	arrivals chan *waiting
	closed   chan struct{} // closed when Close begins
	done     chan struct{} // closed when the last vote is answered
	closing  sync.Once
}

// waiting is a vote whose voter waits for the answer.
type waiting struct {
	ctx    context.Context
	vote   poll.Vote
	answer chan error // has room for one
}

var _ poll.Queue = (*Queue)(nil)

// NewQueue makes a queue in the Redis at address ("host:port"), with one copy of each vote. Redis need not be up yet; the error is about
// the address.
func NewQueue(address string, options ...Option) (*Queue, error) {
	return NewCopiedQueue(address, Copies{}, options...)
}

// NewCopiedQueue makes a queue whose own Redis is at address, and which also writes to others. The options are for all of them.
func NewCopiedQueue(address string, copies Copies, options ...Option) (*Queue, error) {
	own, err := openPlace(address, options)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		options: slices.Clone(options), copies: max(1, copies.Number), address: address, log: copies.Log,
		arrivals: make(chan *waiting, arrivals), closed: make(chan struct{}), done: make(chan struct{}),
	}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	q.places.Store(&[]*place{own})
	if err := q.SetPartners(copies.Partners); err != nil {
		own.client.Close()
		return nil, err
	}
	go q.run()
	return q, nil
}

// freeWaiting has the waiting votes that can be used again.
var freeWaiting = sync.Pool{New: func() any { return &waiting{answer: make(chan error, 1)} }}

// Append implements poll.Queue. An error wraps poll.ErrUnavailable if trying again later may work.
func (q *Queue) Append(ctx context.Context, vote poll.Vote) error {
	w := freeWaiting.Get().(*waiting)
	w.ctx, w.vote = ctx, vote
	select {
	case q.arrivals <- w:
	case <-ctx.Done():
		return explain("queue the vote", q.address, ctx.Err())
	case <-q.closed:
		return explain("queue the vote", q.address, rueidis.ErrClosing)
	}
	select {
	case err := <-w.answer:
		w.ctx = nil
		freeWaiting.Put(w)
		return err
	case <-ctx.Done(): // nobody takes the answer that may still come, so w is not used again
		return explain("queue the vote", q.address, ctx.Err())
	case <-q.done:
		select {
		case err := <-w.answer:
			return err
		default: // w arrived after the last write
			return explain("queue the vote", q.address, rueidis.ErrClosing)
		}
	}
}

// run sends what arrives, write after write, until the queue is closed.
func (q *Queue) run() {
	defer close(q.done)
	var (
		batch    = make([]*waiting, 0, maxVotes)
		text     []byte
		lastSent time.Time
	)
	for {
		select {
		case w := <-q.arrivals: // it came during a write
			batch = append(batch[:0], w)
			time.Sleep(time.Until(lastSent.Add(gatherTime)))
		default:
			select {
			case w := <-q.arrivals:
				batch = append(batch[:0], w)
			case <-q.closed:
				if len(q.arrivals) == 0 {
					return
				}
				continue
			}
		}
		for more := min(len(q.arrivals), maxVotes-1); more > 0; more-- {
			batch = append(batch, <-q.arrivals)
		}
		lastSent = time.Now()
		text = q.send(batch, text[:0])
	}
}

// send appends the votes as one entry and answers each. A vote whose voter has given up is left out. It writes into text and
// returns it for the next time.
func (q *Queue) send(batch []*waiting, text []byte) []byte {
	sent := batch[:0]
	for _, w := range batch {
		if err := w.ctx.Err(); err != nil {
			w.answer <- explain("queue the vote", q.address, err)
			continue
		}
		text = appendVote(text, w.vote)
		sent = append(sent, w)
	}
	if len(sent) == 0 {
		return text
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	late, err := q.write(ctx, func(ctx context.Context, p *place) error {
		command := p.client.B().Xadd().Key(Stream).Id("*").FieldValue().FieldValue(votesField, rueidis.BinaryString(text)).Build()
		return p.client.Do(ctx, command).Error()
	})
	if !late {
		cancel()
	} else {
		time.AfterFunc(answerTimeout, cancel) // a copy more than needed does no harm
	}
	err = explain("queue the vote", q.address, err)
	for _, w := range sent {
		w.answer <- err
	}
	if err != nil || late {
		return nil // a client may still hold the text
	}
	return text
}

// CheckWritable implements poll.Queue with one key that is overwritten each time and expires. It also makes the workers' group:
// a Redis that is full before the first worker comes refuses to make it, and then nobody could drain the queue.
func (q *Queue) CheckWritable(ctx context.Context) error {
	return explain("write to redis", q.address, checkWritable(ctx, (*q.places.Load())[0]))
}

// CheckAccepts implements poll.Queue: as many Redis as there are copies have to be writable.
func (q *Queue) CheckAccepts(ctx context.Context) error {
	_, err := q.write(ctx, checkWritable)
	return explain("write to redis", q.address, err)
}

// checkWritable writes to one Redis and makes the workers' group.
func checkWritable(ctx context.Context, p *place) error {
	command := p.client.B().Set().Key(healthKey).Value(time.Now().UTC().Format(time.RFC3339)).Ex(healthLife).Build()
	if err := p.client.Do(ctx, command).Error(); err != nil {
		return err
	}
	return makeGroup(ctx, p.client)
}

// Close answers the votes that have arrived and ends the connections.
func (q *Queue) Close() {
	q.closing.Do(func() { close(q.closed) })
	<-q.done
	for _, p := range *q.places.Load() {
		p.client.Close()
	}
}
