package redis

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// votesField is the only field of an entry. It has a line for each of the votes that came in together: the voter in 32
// hexadecimal digits, the choice ("a" or "b") and the timestamp in microseconds since 1970, with spaces between. It is plain
// text, so that `redis-cli XRANGE votes - +` shows votes.
const votesField = "votes"

// maxVotes is how many votes an entry has at most; they take 27 KB. It bounds what one entry costs whoever reads it.
const maxVotes = 512

// maxFaults is how many of an entry's faults are listed.
const maxFaults = 3

// appendVote writes a vote's line.
func appendVote(text []byte, vote poll.Vote) []byte {
	text = hex.AppendEncode(text, vote.Voter[:])
	text = append(text, ' ')
	text = append(text, vote.Choice.String()...)
	text = append(text, ' ')
	text = strconv.AppendInt(text, int64(vote.CastAt), 10)
	return append(text, '\n')
}

// readEntry turns what Redis hands out into an entry. What cannot be read as a vote is its Fault.
func readEntry(raw rueidis.XRangeSlice) poll.Entry {
	entry := poll.Entry{ID: raw.ID, QueuedAt: queuedAt(raw.ID)}
	if raw.FieldValues == nil {
		entry.Gone = true
		return entry
	}
	entry.Votes, entry.Fault = parseVotes(raw.FieldValues)
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

// parseVotes reads the fields of an entry. It returns the votes that can be read, and an error about the others. A field that
// it does not know is an error, because the field may change what the entry means.
func parseVotes(fields []rueidis.XRangeFieldValue) ([]poll.Vote, error) {
	if len(fields) != 1 || fields[0].Field != votesField {
		var names []string
		for _, field := range fields[:min(len(fields), maxFaults)] {
			names = append(names, fmt.Sprintf("%.20q", field.Field))
		}
		return nil, fmt.Errorf("entry has %d fields (%s), want one: %q", len(fields), strings.Join(names, ", "), votesField)
	}
	text := fields[0].Value
	votes := make([]poll.Vote, 0, strings.Count(text, "\n"))
	var faults []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		vote, err := parseVote(line)
		if err != nil {
			faults = append(faults, fmt.Errorf("vote %d: %w", number, err))
			continue
		}
		votes = append(votes, vote)
	}
	switch {
	case number == 0:
		return nil, errors.New("entry has no votes")
	case len(faults) > maxFaults:
		faults = append(faults[:maxFaults], fmt.Errorf("and %d more", len(faults)-maxFaults))
	}
	return votes, errors.Join(faults...)
}

// parseVote reads a line as appendVote writes it, and no other spelling.
func parseVote(line string) (poll.Vote, error) {
	text, ended := strings.CutSuffix(line, "\n")
	parts := strings.SplitN(text, " ", 4)
	if !ended || len(parts) != 3 {
		return poll.Vote{}, errors.New("it is not a voter, a choice and a timestamp on a line") // without the line: logs have no voters
	}
	var (
		vote   poll.Vote
		faults [3]error
	)
	vote.Voter, faults[0] = poll.ParseVoterID(parts[0])
	vote.Choice, faults[1] = poll.ParseChoice(parts[1])
	vote.CastAt, faults[2] = parseTimestamp(parts[2])
	if err := errors.Join(faults[:]...); err != nil {
		return poll.Vote{}, err
	}
	if err := vote.Check(); err != nil {
		return poll.Vote{}, err
	}
	return vote, nil
}

// parseTimestamp reads a decimal number of microseconds, and no other spelling: "+1" and "01" are errors.
func parseTimestamp(text string) (poll.Timestamp, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > 1 && (text[0] < '1' || text[0] > '9') {
		return 0, fmt.Errorf("cast at %.30q, want microseconds since 1970 in decimal digits", text)
	}
	return poll.Timestamp(number), nil
}

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
