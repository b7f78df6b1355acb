package poll

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Timestamp is a point in time in microseconds since the beginning of 1970, UTC. PostgreSQL's timestamptz keeps the same, so
// nothing is rounded on the way. The zero value stands for never.
type Timestamp int64

// lastTimestamp is the end of the year 9999: the last that every part of the system can hold and print.
const lastTimestamp = Timestamp(253402300799_999999)

// TimestampOf is t in whole microseconds.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMicro()) }

// Time is the timestamp as a time in UTC.
func (m Timestamp) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Valid reports whether m lies after 1970 and before the year 10000.
func (m Timestamp) Valid() bool { return m > 0 && m <= lastTimestamp }

// NextTimestamp is the timestamp for a vote now, by a voter whose last vote has the timestamp last: the clock's time, or a
// microsecond after last if this machine's clock is behind. So the votes of one voter keep their order, also when they go
// through machines whose clocks differ.
func NextTimestamp(clock time.Time, last Timestamp) Timestamp {
	return max(TimestampOf(clock), last+1)
}

// Vote is one voter's choice at one time.
type Vote struct {
	Voter  VoterID
	Choice Choice
	// CastAt orders the votes of one voter. It need not be the time by anybody's clock.
	CastAt Timestamp
}

// Check returns an error if the vote has no voter, is for no option, or was cast at an impossible time.
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

// Supersedes reports whether v counts instead of other, a vote of the same voter: the later one counts. Of two choices at the
// same microsecond the one with the greater identifier counts, so that every worker decides alike.
func (v Vote) Supersedes(other Vote) bool {
	if v.CastAt != other.CastAt {
		return v.CastAt > other.CastAt
	}
	return v.Choice > other.Choice
}

// Latest returns the vote that counts of each voter, in the order of the voters' identifiers. Workers that save in the same
// order cannot deadlock. Latest reorders votes.
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
