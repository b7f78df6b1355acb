package redis

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// The fields of a vote's entry, in this order. Plain text, so that `redis-cli XRANGE votes - +` shows votes; a stream
// stores the names of the fields once per block of entries, not per entry.
const (
	voterField  = "voter"   // 32 hexadecimal digits
	choiceField = "choice"  // "a" or "b"
	castAtField = "cast_at" // microseconds since 1970, decimal
)

var voteFields = [...]string{voterField, choiceField, castAtField}

// readEntry turns what Redis hands out into an entry; whatever does not read as a vote gets a Fault.
func readEntry(raw rueidis.XRangeSlice) poll.Entry {
	entry := poll.Entry{ID: raw.ID, QueuedAt: queuedAt(raw.ID)}
	if raw.FieldValues == nil {
		entry.Gone = true
		return entry
	}
	entry.Vote, entry.Fault = parseVote(raw.FieldValues)
	return entry
}

// readEntries is readEntry for each.
func readEntries(raw []rueidis.XRangeSlice) []poll.Entry {
	entries := make([]poll.Entry, len(raw))
	for i := range raw {
		entries[i] = readEntry(raw[i])
	}
	return entries
}

// parseVote reads the fields of an entry. Every field must be there once; fields it does not know are an error too, for
// they could change what the entry means.
func parseVote(fields []rueidis.XRangeFieldValue) (poll.Vote, error) {
	var (
		vote   poll.Vote
		seen   [len(voteFields)]bool
		faults []error
	)
	for _, field := range fields {
		position := slices.Index(voteFields[:], field.Field)
		if position < 0 {
			faults = append(faults, fmt.Errorf("field %.20q is not known", field.Field))
			continue
		}
		if seen[position] {
			faults = append(faults, fmt.Errorf("field %q comes twice", field.Field))
			continue
		}
		seen[position] = true
		var err error
		switch field.Field {
		case voterField:
			vote.Voter, err = poll.ParseVoterID(field.Value)
		case choiceField:
			vote.Choice, err = poll.ParseChoice(field.Value)
		case castAtField:
			vote.CastAt, err = parseMoment(field.Value)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	for position, name := range voteFields {
		if !seen[position] {
			faults = append(faults, fmt.Errorf("field %q is missing", name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return poll.Vote{}, err
	}
	if err := vote.Check(); err != nil {
		return poll.Vote{}, err
	}
	return vote, nil
}

// parseMoment reads a decimal number of microseconds as formatMoment writes it, and nothing else ("+1" and "01" are
// refused), so that a vote has one spelling.
func parseMoment(text string) (poll.Moment, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || formatMoment(poll.Moment(number)) != text {
		return 0, fmt.Errorf("%s is %.30q, want microseconds since 1970 in decimal digits", castAtField, text)
	}
	return poll.Moment(number), nil
}

func formatMoment(moment poll.Moment) string { return strconv.FormatInt(int64(moment), 10) }

// queuedAt is the time in a stream ID ("milliseconds-sequence"); the zero time if it has none.
func queuedAt(id string) time.Time {
	milliseconds, _, _ := strings.Cut(id, "-")
	number, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(number).UTC()
}

// compareIDs orders stream IDs ("milliseconds-sequence") as Redis does.
func compareIDs(a, b string) int {
	millisecondsA, sequenceA, _ := strings.Cut(a, "-")
	millisecondsB, sequenceB, _ := strings.Cut(b, "-")
	return cmp.Or(compareDigits(millisecondsA, millisecondsB), compareDigits(sequenceA, sequenceB))
}

// compareDigits compares two decimal numbers without leading zeros.
func compareDigits(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
