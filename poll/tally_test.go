package poll_test

import (
	"math"
	"testing"

	"swarm-scale/poll"
)

func TestTally(t *testing.T) {
	tests := []struct {
		tally poll.Tally
		a, b  float64
	}{
		{poll.Tally{}, 0, 0},
		{poll.Tally{A: 1}, 100, 0},
		{poll.Tally{B: 7}, 0, 100},
		{poll.Tally{A: 1, B: 1}, 50, 50},
		{poll.Tally{A: 1, B: 2}, 33.3, 66.7},
		{poll.Tally{A: 2, B: 1}, 66.7, 33.3},
		{poll.Tally{A: 1, B: 999_999}, 0.1, 99.9},
		{poll.Tally{A: 999_999, B: 1}, 99.9, 0.1},
		{poll.Tally{A: math.MaxInt32, B: math.MaxInt32}, 50, 50},
	}
	for _, test := range tests {
		if a, b := test.tally.Share(poll.A), test.tally.Share(poll.B); a != test.a || b != test.b {
			t.Errorf("%+v: shares %v and %v, want %v and %v", test.tally, a, b, test.a, test.b)
		}
		if got := test.tally.Votes(poll.A) + test.tally.Votes(poll.B) + test.tally.Votes(poll.None); got != test.tally.Total() {
			t.Errorf("%+v: the options have %d votes, the total is %d", test.tally, got, test.tally.Total())
		}
	}
}
