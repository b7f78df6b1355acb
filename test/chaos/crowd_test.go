package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"swarm-scale/test/programtest"
)

const (
	// browsers is how many voters are busy at once, each with several at hand.
	browsers = 32
	// longestThought is how long a browser rests at most between two votes: it keeps the machine below its limit, so that
	// the parts that are not hit answer soon.
	longestThought = 60 * time.Millisecond
	// newVoterShare is one in so many votes that is a newcomer's, and atHand how many voters a browser has. Those who came
	// before have voted for the last time: nothing hides it if that vote is lost.
	newVoterShare, atHand = 4, 4
	// shortestPatience and longestPatience are how long a voter waits for an answer.
	shortestPatience, longestPatience = 500 * time.Millisecond, 6 * time.Second
)

// crowd is the voters, who vote all the time, and what they saw together.
type crowd struct {
	frontends []*programtest.Program

	mu           sync.Mutex
	voters       []*voter
	acknowledged int           // votes that were answered with success
	uncertain    int           // votes that were answered with an error, or not at all
	lastSuccess  time.Time     // of anyone
	longestGap   time.Duration // between two successes, of anyone
	slowest      time.Duration // answer with success
	faults       []error       // answers that should not be
}

// vote lets the crowd vote until ctx is done.
func (c *crowd) vote(ctx context.Context, seed uint64) {
	c.lastSuccess = time.Now()
	var group sync.WaitGroup
	for i := range browsers {
		group.Go(func() { c.browse(ctx, rand.New(rand.NewPCG(seed, uint64(i)+1))) })
	}
	group.Wait()
}

// browse is one browser's life. The votes of one voter come one after the other.
func (c *crowd) browse(ctx context.Context, random *rand.Rand) {
	client := newClient(shortestPatience + time.Duration(random.Int64N(int64(longestPatience-shortestPatience))))
	defer client.CloseIdleConnections()
	var mine []*voter
	for ctx.Err() == nil {
		time.Sleep(time.Duration(random.Int64N(int64(longestThought))))
		frontend := c.frontends[random.IntN(len(c.frontends))].URL
		if len(mine) == 0 || random.IntN(newVoterShare) == 0 {
			newcomer, err := newVoter(context.WithoutCancel(ctx), client, frontend)
			if err != nil {
				continue // nobody came; there is nothing to keep books about
			}
			mine = append(mine, newcomer)
			mine = mine[max(0, len(mine)-atHand):]
			c.mu.Lock()
			c.voters = append(c.voters, newcomer)
			c.mu.Unlock()
		}
		v := mine[random.IntN(len(mine))]
		started := time.Now()
		err := v.vote(context.WithoutCancel(ctx), client, frontend, v.anotherChoice(random))
		c.note(err, started)
	}
}

// note notes how a vote was answered.
func (c *crowd) note(err error, started time.Time) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.acknowledged++
		c.longestGap = max(c.longestGap, now.Sub(c.lastSuccess))
		c.lastSuccess = now
		c.slowest = max(c.slowest, now.Sub(started))
	case errors.Is(err, errUncertain):
		c.uncertain++
	default:
		c.faults = append(c.faults, err)
	}
}

// certain is how many voters can be counted in one way only.
func (c *crowd) certain() int {
	n := 0
	for _, v := range c.voters {
		if v.may.certain() {
			n++
		}
	}
	return n
}

// watch reads the results until ctx is done. A stored vote is stored for good, so the number of voters never goes down; and
// a voter counts once, so it never exceeds the number of those who came.
func (c *crowd) watch(ctx context.Context, t testing.TB, results *programtest.Program) {
	var most int64
	for ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestPatience)
		tally, live, err := tallyShown(limited, results)
		cancel()
		if err != nil || !live {
			continue // it is down, or the database is
		}
		c.mu.Lock()
		came := int64(len(c.voters))
		c.mu.Unlock()
		if tally.Total() < most || tally.Total() > came {
			t.Errorf("the results had %d voters and now have %d; %d came", most, tally.Total(), came)
		}
		most = max(most, tally.Total())
	}
}
