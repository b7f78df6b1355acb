package crowd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// changeOfMind is how many of ten votes are by someone who has voted before.
const changeOfMind = 3

// Campaign is a crowd that votes all the time.
type Campaign struct {
	crowd   *Crowd
	cancel  context.CancelFunc
	running sync.WaitGroup
	begun   time.Time

	mu      sync.Mutex
	answers []Answer
}

// Start has voters come to the poll, that many at a time, each a pause after the one before; most are new, some change
// their mind. They come until Stop, or until ctx is done.
func (c *Crowd) Start(ctx context.Context, together int, pause time.Duration) *Campaign {
	voting, cancel := context.WithCancel(ctx)
	campaign := &Campaign{crowd: c, cancel: cancel, begun: time.Now()}
	for range together {
		campaign.running.Go(func() {
			for voting.Err() == nil {
				// Who has begun to vote is not cut off: that would be a failure of ours.
				campaign.add(c.visit(ctx, rand.IntN(10) < changeOfMind)...)
				select {
				case <-voting.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	return campaign
}

// Vote has that many voters vote, side by side, and returns what they saw. Some of them change their mind afterwards.
func (c *Crowd) Vote(ctx context.Context, voters int) Observation {
	campaign := &Campaign{crowd: c, begun: time.Now()}
	places := make(chan struct{}, 8)
	for i := range voters {
		places <- struct{}{}
		campaign.running.Go(func() {
			campaign.add(c.visit(ctx, i%10 < changeOfMind)...)
			<-places
		})
	}
	campaign.running.Wait()
	return campaign.observe(time.Now())
}

// visit is one voter at the poll: a new one who looks at the page and votes, or someone who changes the vote.
func (c *Crowd) visit(ctx context.Context, again bool) []Answer {
	if again {
		if v := c.someone(); v != nil {
			return []Answer{c.vote(ctx, v, randomChoice())}
		}
	}
	v, err := c.newVoter()
	if err != nil {
		return []Answer{{Kind: "page", At: time.Now(), Fault: err.Error()}}
	}
	answers := []Answer{c.look(ctx, v)}
	if answers[0].Fault == "" {
		answers = append(answers, c.vote(ctx, v, randomChoice()))
	}
	return answers
}

func (c *Campaign) add(answers ...Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, answers...)
}

// Now is what the voters have seen so far.
func (c *Campaign) Now() Observation { return c.observe(time.Now()) }

// Since is what the voters have seen from a moment on.
func (c *Campaign) Since(from time.Time) Observation {
	c.mu.Lock()
	later := &Campaign{begun: from}
	for _, answer := range c.answers {
		if answer.At.After(from) {
			later.answers = append(later.answers, answer)
		}
	}
	c.mu.Unlock()
	return later.observe(time.Now())
}

// Stop sends the voters home and returns what they saw.
func (c *Campaign) Stop() Observation {
	c.cancel()
	end := time.Now()
	c.running.Wait()
	return c.observe(end)
}

// Observation is what voters saw of a poll.
type Observation struct {
	Good, Bad int // answers
	// Silence is the longest time in which nobody got a good answer.
	Silence time.Duration
	// Trouble is the time from the first failure to the last; zero without any.
	Trouble time.Duration
	// Slowest is the longest that a good answer took.
	Slowest time.Duration
	// Containers are the good answers by the container that gave them.
	Containers map[string]int
	// Faults are the failures by kind and reason, such as "vote: 503".
	Faults map[string]int
}

func (c *Campaign) observe(end time.Time) Observation {
	c.mu.Lock()
	answers := slices.Clone(c.answers)
	c.mu.Unlock()
	slices.SortFunc(answers, func(x, y Answer) int { return cmp.Compare(x.At.UnixNano(), y.At.UnixNano()) })
	o := Observation{Containers: map[string]int{}, Faults: map[string]int{}}
	lastGood := c.begun
	var firstBad, lastBad time.Time
	for _, answer := range answers {
		if answer.Fault != "" {
			o.Bad++
			o.Faults[answer.Kind+": "+answer.Fault]++
			// It was under way for as long as it took.
			if begun := answer.At.Add(-answer.Took); firstBad.IsZero() || begun.Before(firstBad) {
				firstBad = begun
			}
			lastBad = answer.At
			continue
		}
		o.Good++
		o.Containers[answer.Container]++
		o.Slowest = max(o.Slowest, answer.Took)
		o.Silence = max(o.Silence, answer.At.Sub(lastGood))
		lastGood = answer.At
	}
	o.Silence = max(o.Silence, end.Sub(lastGood))
	o.Trouble = lastBad.Sub(firstBad)
	return o
}

// String is the observation in one line.
func (o Observation) String() string {
	text := fmt.Sprintf("%d answers, %d failures, longest without a good answer %.2f s", o.Good+o.Bad, o.Bad, o.Silence.Seconds())
	if o.Bad > 0 {
		var faults []string
		for _, fault := range slices.Sorted(maps.Keys(o.Faults)) {
			faults = append(faults, fmt.Sprintf("%s ×%d", fault, o.Faults[fault]))
		}
		text += fmt.Sprintf(" (%s, within %.1f s)", strings.Join(faults, ", "), o.Trouble.Seconds())
	}
	return text
}

// Look opens the vote page that many times, one after another, as a new voter each time who does not vote.
func (c *Crowd) Look(ctx context.Context, times int) Observation {
	campaign := &Campaign{crowd: c, begun: time.Now()}
	for range times {
		v, err := newBrowser(c.transport)
		if err != nil {
			campaign.add(Answer{Kind: "page", At: time.Now(), Fault: err.Error()})
			continue
		}
		campaign.add(c.look(ctx, v))
	}
	return campaign.observe(time.Now())
}
