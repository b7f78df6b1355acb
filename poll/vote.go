package poll

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Moment is a point in time in microseconds since the beginning of 1970, UTC. It is what PostgreSQL's timestamptz keeps,
// so nothing is rounded on the way. The zero value is never.
type Moment int64

// lastMoment is the end of the year 9999: what every part of the system can hold and print.
const lastMoment = Moment(253402300799_999999)

// MomentOf is t in whole microseconds.
func MomentOf(t time.Time) Moment { return Moment(t.UnixMicro()) }

// Time is the moment as a time in UTC.
func (m Moment) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Valid reports whether m lies after 1970 and before the year 10000.
func (m Moment) Valid() bool { return m > 0 && m <= lastMoment }

// NextMoment is when a voter who voted last at the given moment votes now: the clock's time, or just after the last vote
// if this machine's clock is behind the one that stamped it. It keeps one voter's votes in the order they were cast even
// when they go through machines whose clocks differ.
func NextMoment(clock time.Time, last Moment) Moment {
	return max(MomentOf(clock), last+1)
}

// Vote is one voter's choice at one moment.
type Vote struct {
	Voter  VoterID
	Choice Choice
	CastAt Moment
}

// Check says what is wrong with the vote, if anything: nobody's, for no option, or cast at an impossible time.
func (v Vote) Check() error {
	switch {
	case v.Voter.IsZero():
		return fmt.Errorf("vote has no voter")
	case !v.Choice.Valid():
		return fmt.Errorf("vote is for no option: %w", ErrUnknownOption)
	case !v.CastAt.Valid():
		return fmt.Errorf("vote was cast at %d microseconds, want a time between 1970 and 9999", int64(v.CastAt))
	}
	return nil
}

// Supersedes reports whether v counts instead of other, both by the same voter: the later one does. Two different
// choices at the very same microsecond are decided for the greater identifier, so that every worker decides alike.
func (v Vote) Supersedes(other Vote) bool {
	if v.CastAt != other.CastAt {
		return v.CastAt > other.CastAt
	}
	return v.Choice > other.Choice
}

// Latest returns the one vote per voter that counts, in the order of the voters' identifiers. The order lets several
// workers save votes of the same voters side by side without waiting for each other in a circle. It reorders votes.
func Latest(votes []Vote) []Vote {
	slices.SortFunc(votes, func(v, w Vote) int {
		if c := bytes.Compare(v.Voter[:], w.Voter[:]); c != 0 {
			return c
		}
		if v.Supersedes(w) {
			return -1
		}
		if w.Supersedes(v) {
			return 1
		}
		return 0
	})
	return slices.CompactFunc(votes, func(v, w Vote) bool { return v.Voter == w.Voter })
}
