package poll

import (
	"math"
	"time"
)

// Tally is how many voters each option has. A voter counts once, for the latest choice.
type Tally struct {
	A, B int64
}

// Standing is the tally, and up to when it is complete.
type Standing struct {
	Tally Tally
	// Known is false while nobody has said of each queue up to when it is handed over.
	Known bool
	// Behind says how complete the tally is: it has every vote that any queue took longer ago than this, as of the reading.
	Behind time.Duration
	// Queue is the queue that is furthest behind.
	Queue string
}

// Votes is the number of voters for c; 0 for None.
func (t Tally) Votes(c Choice) int64 {
	switch c {
	case A:
		return t.A
	case B:
		return t.B
	}
	return 0
}

// Total is the number of voters.
func (t Tally) Total() int64 { return t.A + t.B }

// Share is c's part of all votes in percent, rounded to a tenth. The two shares add up to 100; before the first vote both
// are 0. When both options have votes, no share is rounded to 0 or 100.
func (t Tally) Share(c Choice) float64 {
	if t.Total() == 0 || !c.Valid() {
		return 0
	}
	a := math.Round(1000*float64(t.A)/float64(t.Total())) / 10
	if t.A > 0 && t.B > 0 {
		a = min(max(a, 0.1), 99.9)
	}
	if c == A {
		return a
	}
	return math.Round((100-a)*10) / 10
}
