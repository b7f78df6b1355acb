package load

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"

	"swarm-scale/poll"
)

// Crowd is voters who share connections that stay open.
type Crowd struct {
	members []*member
}

// member is one connection and its voters.
type member struct {
	connection *Connection
	voters     []Voter
	next       int
}

// Gather opens that many connections to the vote page at address, host:port, with that many voters on each. Every voter opens
// the page once, for the cookie.
func Gather(ctx context.Context, address string, connections, votersEach int) (*Crowd, error) {
	crowd := &Crowd{members: make([]*member, connections)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for i := range crowd.members {
		group.Go(func() error {
			connection, err := Dial(ctx, address)
			if err != nil {
				return err
			}
			m := &member{connection: connection, voters: make([]Voter, votersEach)}
			crowd.members[i] = m
			for v := range m.voters {
				status, err := connection.Look(&m.voters[v])
				if err != nil {
					return err
				}
				if status != http.StatusOK || len(m.voters[v].cookie) == 0 {
					return fmt.Errorf("the vote page answered with %d and the cookie %q, want 200 and a cookie", status, m.voters[v].cookie)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		crowd.Disperse()
		return nil, err
	}
	return crowd, nil
}

// Disperse closes the connections.
func (c *Crowd) Disperse() {
	for _, m := range c.members {
		if m != nil {
			m.connection.Close()
		}
	}
}

// Report is what a run measured.
type Report struct {
	// Answers is how many votes were acknowledged, and Refused how many were answered otherwise.
	Answers, Refused int64
	// Took is the length of the run.
	Took time.Duration
	// Latencies are those of acknowledged votes, in microseconds. They begin when the vote was due (Rate) or sent (FullSpeed).
	Latencies *hdrhistogram.Histogram
}

// Rate is the number of acknowledged votes per second.
func (r Report) Rate() float64 { return float64(r.Answers) / r.Took.Seconds() }

// Quantile is the latency that the given percentage of the answers does not exceed.
func (r Report) Quantile(percent float64) time.Duration {
	return time.Duration(r.Latencies.ValueAtQuantile(percent)) * time.Microsecond
}

// FullSpeed has every connection vote, wait for the answer and vote again, for the given time.
func (c *Crowd) FullSpeed(ctx context.Context, length time.Duration) (Report, error) {
	return c.run(ctx, func(start time.Time) (time.Time, bool) {
		now := time.Now()
		return now, now.Sub(start) < length
	})
}

// leadIn is for how long a crowd votes at a quarter of a rate before it is measured. Programs that had nothing to do wake slowly: their memory
// is cold, and the system may have taken some of it.
const leadIn = time.Second

// Rate has the crowd vote that many times per second, evenly, for the given time, after a second of fewer votes. Latencies count from when a
// vote was due. So a slow server cannot hide its latency by getting fewer votes.
func (c *Crowd) Rate(ctx context.Context, perSecond float64, length time.Duration) (Report, error) {
	if _, err := c.rate(ctx, perSecond/4, leadIn); err != nil {
		return Report{}, err
	}
	return c.rate(ctx, perSecond, length)
}

func (c *Crowd) rate(ctx context.Context, perSecond float64, length time.Duration) (Report, error) {
	var ticket atomic.Int64
	interval := float64(time.Second) / perSecond
	return c.run(ctx, func(start time.Time) (time.Time, bool) {
		due := time.Duration(float64(ticket.Add(1)-1) * interval)
		if due >= length {
			return time.Time{}, false
		}
		time.Sleep(time.Until(start.Add(due)))
		return start.Add(due), true
	})
}

// run has every member vote once for each call of next, which is told when the run began. It returns when the latency begins, or false at the
// end.
func (c *Crowd) run(ctx context.Context, next func(start time.Time) (time.Time, bool)) (Report, error) {
	report := Report{Latencies: newHistogram()}
	histograms := make([]*hdrhistogram.Histogram, len(c.members)) // made before the first vote is due
	for i := range histograms {
		histograms[i] = newHistogram()
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i, m := range c.members {
		group.Go(func() error {
			var answers, refused int64
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				report.Latencies.Merge(histograms[i])
				report.Answers += answers
				report.Refused += refused
			}()
			for round := i; ctx.Err() == nil; round++ {
				due, more := next(start)
				if !more {
					return nil
				}
				voter := &m.voters[m.next]
				m.next = (m.next + 1) % len(m.voters)
				status, err := m.connection.Vote(voter, poll.Choices()[round%2])
				if err != nil {
					return err
				}
				if status != http.StatusOK {
					refused++
					continue
				}
				answers++
				if err := histograms[i].RecordValue(time.Since(due).Microseconds()); err != nil {
					return fmt.Errorf("a vote took %s: %w", time.Since(due), err)
				}
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	report.Took = time.Since(start)
	return report, err
}

// newHistogram counts latencies from a microsecond to a minute, in microseconds, to two significant digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Microseconds(), 2)
}
