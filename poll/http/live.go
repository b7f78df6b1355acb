package http

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"swarm-scale/poll"
)

const (
	// pollInterval is how often the tally is read. It is one small query, however many viewers there are.
	pollInterval = 500 * time.Millisecond
	// pollTimeout is how long it may take.
	pollTimeout = 3 * time.Second
	// liveWithin is how far behind the tally may be and still be live. Workers say every second how far they are.
	liveWithin = 5 * time.Second
)

// results is the tally as /results.json and /events tell it.
type results struct {
	Options []optionResult `json:"options"`
	Total   int64          `json:"total"`
	// AsOf is up to when the tally is complete, in RFC 3339: it has every vote that was taken before. It is empty if nobody knows.
	AsOf string `json:"as_of"`
	// Live is true if that is at most liveWithin ago. Otherwise Trouble says in a sentence what is the matter.
	Live    bool   `json:"live"`
	Trouble string `json:"trouble,omitempty"`
}

type optionResult struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Votes int64  `json:"votes"`
	// Share is in percent with one decimal; the two add up to 100.
	Share float64 `json:"share"`
}

// snapshot is the tally as it was read once, in every form that is asked for. Each form is made at most once.
type snapshot struct {
	tally  poll.Tally
	readAt time.Time     // zero: never read
	asOf   time.Time     // it is complete up to then; zero: nobody knows
	behind time.Duration // from asOf to readAt
	fault  error         // why the latest attempt to read it failed

	json  func() ([]byte, error)
	event func() ([]byte, error)
	page  func() (*page, error)
}

// live reads the tally again and again and tells all viewers when it changes. A viewer takes the latest snapshot when ready for
// it, so a slow viewer misses some and holds up nobody.
type live struct {
	board   poll.Scoreboard
	log     *slog.Logger
	metrics *ResultsMetrics
	ballot  poll.Ballot
	render  func(results) (*page, error)
	started time.Time
	done    chan struct{} // closed when run returns

	mu      sync.Mutex
	current *snapshot
	changed chan struct{} // closed when the tally changes; then there is a new one
}

func newLive(board poll.Scoreboard, ballot poll.Ballot, log *slog.Logger, metrics *ResultsMetrics,
	render func(results) (*page, error)) *live {
	l := &live{board: board, log: log, metrics: metrics, ballot: ballot, render: render,
		started: time.Now(), done: make(chan struct{}), changed: make(chan struct{})}
	l.current = l.complete(&snapshot{fault: fmt.Errorf("the tally was not read yet")})
	return l
}

// now is the latest snapshot, and a channel that is closed when the tally changes after it.
func (l *live) now() (*snapshot, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, l.changed
}

// run reads the tally until ctx is done.
func (l *live) run(ctx context.Context) {
	defer close(l.done)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		l.update(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// update reads the tally once.
func (l *live) update(ctx context.Context) {
	queryCtx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	started := time.Now()
	standing, err := l.board.Standing(queryCtx)
	l.metrics.seconds.Observe(time.Since(started).Seconds())
	if ctx.Err() != nil {
		return
	}
	before, _ := l.now()
	var next *snapshot
	if err != nil {
		l.metrics.failures.Inc()
		if before.fault == nil || before.readAt.IsZero() && before.fault.Error() != err.Error() {
			l.log.Warn("cannot read the tally, will try again", "error", err.Error())
		}
		next = &snapshot{tally: before.tally, readAt: before.readAt, asOf: before.asOf, fault: err}
	} else {
		if before.fault != nil {
			l.log.Info("reading the tally")
		}
		for _, choice := range poll.Choices() {
			l.metrics.votes.WithLabelValues(choice.String()).Set(float64(standing.Tally.Votes(choice)))
		}
		next = &snapshot{tally: standing.Tally, readAt: started.UTC()} // what came while it was read may not be in it
		if standing.Known {
			next.behind = standing.Behind
			next.asOf = next.readAt.Add(-standing.Behind)
		}
		if next.isLive() != before.isLive() {
			l.log.Info("the results change their state", "live", next.isLive(), "queue", standing.Queue, "behind", standing.Behind.String())
		}
	}
	l.complete(next)
	changed := next.tally != before.tally || next.isLive() != before.isLive() || (next.fault == nil) != (before.fault == nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = next
	if changed {
		l.metrics.updates.Inc()
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// isLive reports whether the tally is complete up to a moment before it was read.
func (s *snapshot) isLive() bool { return s.fault == nil && !s.asOf.IsZero() && s.behind <= liveWithin }

// complete gives a snapshot its forms.
func (l *live) complete(s *snapshot) *snapshot {
	s.json = sync.OnceValues(func() ([]byte, error) { return json.Marshal(s.results(l.ballot)) })
	s.event = sync.OnceValues(func() ([]byte, error) {
		data, err := s.json()
		return fmt.Appendf(nil, "data: %s\n\n", data), err
	})
	s.page = sync.OnceValues(func() (*page, error) { return l.render(s.results(l.ballot)) })
	return s
}

func (s *snapshot) results(ballot poll.Ballot) results {
	r := results{Total: s.tally.Total(), Live: s.isLive()}
	for _, choice := range poll.Choices() {
		r.Options = append(r.Options, optionResult{
			ID:    choice.String(),
			Label: ballot.Label(choice),
			Votes: s.tally.Votes(choice),
			Share: s.tally.Share(choice),
		})
	}
	if !s.asOf.IsZero() {
		r.AsOf = s.asOf.Format(time.RFC3339Nano)
	}
	switch {
	case r.Live:
	case s.readAt.IsZero():
		r.Trouble = "The votes cannot be counted yet: the database cannot be reached. This page goes on by itself."
	case s.fault == nil && s.asOf.IsZero():
		r.Trouble = "Some votes may not be counted yet: not every queue of votes was reached. They are kept, and this page goes on " +
			"by itself."
	case s.fault == nil:
		r.Trouble = "Votes that came in after this time may not be counted yet. They are kept, and this page goes on by itself."
	default:
		r.Trouble = "The database cannot be reached at the moment. These are the last known numbers; votes still come " +
			"in, and this page goes on by itself."
	}
	return r
}

// age is the time since the tally was last read, in seconds.
func (l *live) age() float64 {
	s, _ := l.now()
	if s.readAt.IsZero() {
		return time.Since(l.started).Seconds()
	}
	return time.Since(s.readAt).Seconds()
}
