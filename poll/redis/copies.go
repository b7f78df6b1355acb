package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// partnerTimeout is how long a Redis may be silent until the next one is asked in its place.
	partnerTimeout = 500 * time.Millisecond
	// skipTime is for how long a Redis that failed or was silent is not asked.
	skipTime = time.Second
)

// Copies says in how many Redis each vote is before it counts as queued. The zero value means: in the queue's own one.
type Copies struct {
	// Number is how many have each vote, 1 if it is less.
	Number int
	// Partners are the addresses of others, in the order in which they are asked.
	Partners []string
	// Log gets when a Redis is skipped and when it takes votes again; nil for no log.
	Log *slog.Logger
}

// place is one Redis that a queue writes to.
type place struct {
	client  rueidis.Client
	address string
	skipped atomic.Int64 // UnixNano of the time until which it is not asked
	failing atomic.Bool  // the latest write failed
}

// openPlace makes a place. Its Redis need not be up; the error is about the address.
func openPlace(address string, options []Option) (*place, error) {
	client, err := connect(address, options, func(option *rueidis.ClientOption) {
		option.ClientName = "web-vote-app"
		option.PipelineMultiplex = -1 // one connection
		option.RingScaleEachConn = 4  // a write at a time, and checks
		option.ReadBufferEachConn = 4 << 10
		option.WriteBufferEachConn = 32 << 10 // an entry
	})
	if err != nil {
		return nil, err
	}
	return &place{client: client, address: address}, nil
}

// asked reports whether the place is asked now.
func (p *place) asked(now time.Time) bool { return now.UnixNano() >= p.skipped.Load() }

// skip has the place not asked for a while.
func (p *place) skip(log *slog.Logger, err error) {
	p.skipped.Store(time.Now().Add(skipTime).UnixNano())
	if !p.failing.Swap(true) {
		log.Warn("a redis does not take votes; others are asked in its place", "redis", p.address, "error", err.Error())
	}
}

// took notes that the place has taken a write.
func (p *place) took(log *slog.Logger) {
	if p.failing.Load() && p.failing.Swap(false) {
		log.Info("the redis takes votes again", "redis", p.address)
	}
}

// SetPartners replaces the list of partners. Those that are listed already keep their connections. It returns when the list is in
// effect. A write that is under way may still go to a former one.
//
// One goroutine at a time may call it.
func (q *Queue) SetPartners(addresses []string) error {
	before := *q.places.Load()
	after := before[:1:1]
	var opened []*place
	for _, address := range addresses {
		if slices.ContainsFunc(after, func(p *place) bool { return p.address == address }) {
			continue // it is this queue's own, or is listed twice
		}
		if known := slices.IndexFunc(before, func(p *place) bool { return p.address == address }); known >= 0 {
			after = append(after, before[known])
			continue
		}
		added, err := openPlace(address, q.options)
		if err != nil {
			for _, p := range opened {
				p.client.Close()
			}
			return err
		}
		opened = append(opened, added)
		after = append(after, added)
	}
	q.places.Store(&after)
	for _, former := range before {
		if !slices.Contains(after, former) {
			// Whoever writes to it now gets an answer, or an error after which the next one is asked.
			time.AfterFunc(answerTimeout, former.client.Close)
		}
	}
	return nil
}

// errFewCopies is why a vote is not queued although its own Redis may have it.
var errFewCopies = errors.New("too few redis take votes")

// write does the same on as many places as there are copies, side by side, and returns nil once so many have done it. The own place is
// the first. One that fails is skipped for a while, and the next one is asked in its place. So is one that is silent for long. The own
// one may still answer: where there is no other, it is waited for.
//
// late tells that a write may still be under way.
func (q *Queue) write(ctx context.Context, one func(context.Context, *place) error) (late bool, err error) {
	places := *q.places.Load()
	if q.copies == 1 {
		return false, one(ctx, places[0])
	}
	type result struct {
		place *place
		err   error
	}
	var (
		results = make(chan result, len(places)) // nobody waits to be read
		silent  = make(chan *place, len(places))
		next    = q.order(places)
		pending = map[*place]bool{} // true: it is waited for no longer than for others
		done    int
		faults  []error
	)
	ask := func() {
		if len(next) == 0 {
			return
		}
		p := next[0]
		next = next[1:]
		pending[p] = true
		go func() { results <- result{p, one(ctx, p)} }()
		time.AfterFunc(partnerTimeout, func() { silent <- p })
	}
	if len(next) < q.copies {
		return false, fmt.Errorf("%w: %d are asked, and each vote has to be in %d; the others failed within the last second", errFewCopies, len(next), q.copies)
	}
	for range q.copies {
		ask()
	}
	for done < q.copies {
		if done+len(pending) < q.copies {
			return len(pending) > 0, fmt.Errorf("%w: %d of the %d that each vote has to be in: %w", errFewCopies, done, q.copies, errors.Join(faults...))
		}
		select {
		case r := <-results:
			if _, waited := pending[r.place]; !waited {
				continue
			}
			delete(pending, r.place)
			if r.err == nil {
				r.place.took(q.log)
				done++
				continue
			}
			if _, isAnswer := rueidis.IsRedisErr(r.err); isAnswer || ctx.Err() == nil {
				r.place.skip(q.log, r.err)
			}
			faults = append(faults, fmt.Errorf("%s: %w", r.place.address, r.err))
			ask()
		case p := <-silent:
			if !pending[p] {
				continue
			}
			pending[p] = false
			err := fmt.Errorf("silent for %s", partnerTimeout)
			p.skip(q.log, err)
			if p != places[0] {
				delete(pending, p)
				faults = append(faults, fmt.Errorf("%s: %w", p.address, err))
			}
			ask()
		}
	}
	return len(pending) > 0, nil
}

// order is the places to ask now, the preferred ones first. The own one is left out only if there are enough others.
func (q *Queue) order(places []*place) []*place {
	now := time.Now()
	var asked []*place
	for _, p := range places[1:] {
		if p.asked(now) {
			asked = append(asked, p)
		}
	}
	if places[0].asked(now) || len(asked) < q.copies {
		return append([]*place{places[0]}, asked...)
	}
	return asked
}
