package voters

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Campaign is a time in which a crowd votes. Its methods can be called concurrently.
type Campaign struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	begun   time.Time

	mu      sync.Mutex
	answers []Answer
}

func (c *Campaign) add(answers ...Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range answers {
		if answer.Kind != Unexpected {
			answer.Header, answer.Page = nil, "" // a campaign has many answers
		}
		c.answers = append(c.answers, answer)
	}
}

// Now is what the voters have seen so far.
func (c *Campaign) Now() Observation { return c.observe(time.Now()) }

// Stop ends the campaign, waits for the answers to the votes that have begun and returns what the voters saw.
func (c *Campaign) Stop() Observation {
	c.cancel()
	end := time.Now()
	c.running.Wait()
	return c.observe(end)
}

func (c *Campaign) observe(end time.Time) Observation {
	c.mu.Lock()
	answers := slices.Clone(c.answers)
	c.mu.Unlock()
	slices.SortFunc(answers, func(x, y Answer) int { return x.End.Compare(y.End) })
	return observe(answers, c.begun, end)
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
	// Failures are the bad answers by request and reason, such as "vote: 503".
	Failures map[string]int
	// Unexpected are the answers that a poll must not give, whatever of it is down.
	Unexpected []error

	answers    []Answer // by their end
	begun, end time.Time
}

// Since is the part of the observation from a moment on.
func (o Observation) Since(from time.Time) Observation {
	return observe(slices.DeleteFunc(slices.Clone(o.answers), func(a Answer) bool { return !a.End.After(from) }), from, o.end)
}

// Begun is the part of the observation about requests that were begun in a time.
func (o Observation) Begun(from, to time.Time) Observation {
	return observe(slices.DeleteFunc(slices.Clone(o.answers), func(a Answer) bool { return a.Begun.Before(from) || !a.Begun.Before(to) }), from, o.end)
}

// Votes is the part of the observation about votes, without looks at the page.
func (o Observation) Votes() Observation {
	return observe(slices.DeleteFunc(slices.Clone(o.answers), func(a Answer) bool { return a.Request != "vote" }), o.begun, o.end)
}

// observe sums up answers, which are sorted by their end.
func observe(answers []Answer, begun, end time.Time) Observation {
	o := Observation{Containers: map[string]int{}, Failures: map[string]int{}, answers: answers, begun: begun, end: end}
	lastGood := begun
	var firstBad, lastBad time.Time
	for _, answer := range answers {
		if answer.Kind == Good {
			o.Good++
			o.Containers[answer.Container]++
			o.Slowest = max(o.Slowest, answer.Took())
			o.Silence = max(o.Silence, answer.End.Sub(lastGood))
			lastGood = answer.End
			continue
		}
		o.Bad++
		o.Failures[answer.Request+": "+answer.Reason]++
		if answer.Kind == Unexpected {
			o.Unexpected = append(o.Unexpected, answer.Err())
		}
		if firstBad.IsZero() || answer.Begun.Before(firstBad) {
			firstBad = answer.Begun
		}
		lastBad = answer.End
	}
	o.Silence = max(o.Silence, end.Sub(lastGood))
	o.Trouble = lastBad.Sub(firstBad)
	return o
}

// String is the observation in one line.
func (o Observation) String() string {
	text := fmt.Sprintf("%d answers, %d failures, longest without a good answer %.2f s", o.Good+o.Bad, o.Bad, o.Silence.Seconds())
	if o.Bad > 0 {
		var failures []string
		for _, failure := range slices.Sorted(maps.Keys(o.Failures)) {
			failures = append(failures, fmt.Sprintf("%s ×%d", failure, o.Failures[failure]))
		}
		text += fmt.Sprintf(" (%s, within %.1f s)", strings.Join(failures, ", "), o.Trouble.Seconds())
	}
	return text
}
