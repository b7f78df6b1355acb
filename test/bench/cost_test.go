package bench

import (
	"fmt"
	"testing"
	"time"

	"swarm-scale/test/bench/load"
)

// cost adds up the processor time that a process spends on votes. While processes compete for two cores, it tells more than a
// rate does.
type cost struct {
	process interface {
		CPU() (time.Duration, error)
	}
	spent time.Duration
	votes int64
}

func newCost(process interface {
	CPU() (time.Duration, error)
}) *cost {
	return &cost{process: process}
}

// of measures the cost of one run.
func (c *cost) of(t *testing.T, run func() load.Report) load.Report {
	t.Helper()
	before := c.now(t)
	report := run()
	c.spent += c.now(t) - before
	c.votes += report.Answers
	return report
}

func (c *cost) now(t *testing.T) time.Duration {
	t.Helper()
	spent, err := c.process.CPU()
	if err != nil {
		t.Skipf("cannot read the processor time from /proc: %v; run the test on Linux", err)
	}
	return spent
}

// String is the processor time per vote, such as "12.3 µs".
func (c *cost) String() string {
	return fmt.Sprintf("%.1f µs", float64(c.spent.Microseconds())/float64(max(c.votes, 1)))
}
