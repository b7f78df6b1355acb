package poll_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
)

func voter(n byte) poll.VoterID { return poll.VoterID{15: n} }

func TestSupersedes(t *testing.T) {
	vote := func(choice poll.Choice, at poll.Timestamp) poll.Vote {
		return poll.Vote{Voter: voter(1), Choice: choice, CastAt: at}
	}
	tests := []struct {
		name        string
		vote, other poll.Vote
		want        bool
	}{
		{"later", vote(poll.A, 2), vote(poll.B, 1), true},
		{"earlier", vote(poll.A, 1), vote(poll.B, 2), false},
		{"same timestamp, greater choice", vote(poll.B, 1), vote(poll.A, 1), true},
		{"same timestamp, smaller choice", vote(poll.A, 1), vote(poll.B, 1), false},
		{"the same vote", vote(poll.A, 1), vote(poll.A, 1), false},
	}
	for _, test := range tests {
		if got := test.vote.Supersedes(test.other); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// In whatever order and however often votes arrive, the same ones count.
func TestLatestIgnoresOrderAndRepetition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var votes []poll.Vote
	for range 200 {
		votes = append(votes, poll.Vote{
			Voter:  voter(1 + byte(random.IntN(20))),
			Choice: poll.Choices()[random.IntN(2)],
			CastAt: poll.Timestamp(1 + random.IntN(10)), // many with the same timestamp
		})
	}
	want := poll.Latest(slices.Clone(votes))
	for i, vote := range want {
		if i > 0 && bytes.Compare(want[i-1].Voter[:], vote.Voter[:]) >= 0 {
			t.Fatalf("votes %d and %d are not in the order of their voters", i-1, i)
		}
		for _, other := range votes {
			if other.Voter == vote.Voter && other.Supersedes(vote) {
				t.Fatalf("%v counts although %v supersedes it", vote, other)
			}
		}
	}
	if len(want) != 20 {
		t.Fatalf("%d voters, want 20", len(want))
	}
	for range 50 {
		again := slices.Concat(votes, votes[:random.IntN(len(votes))])
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if got := poll.Latest(again); !slices.Equal(got, want) {
			t.Fatal("another order gave another result")
		}
	}
	if got := poll.Latest(nil); len(got) != 0 {
		t.Errorf("of no votes %v count", got)
	}
}

func TestNextTimestamp(t *testing.T) {
	now := time.Date(2026, 2, 8, 23, 30, 0, 123456789, time.UTC)
	tests := []struct {
		name string
		last poll.Timestamp
		want poll.Timestamp
	}{
		{"first vote", 0, poll.TimestampOf(now)},
		{"voted before", poll.TimestampOf(now) - 1, poll.TimestampOf(now)},
		{"voted in the same microsecond", poll.TimestampOf(now), poll.TimestampOf(now) + 1},
		{"voted on a machine whose clock is ahead", poll.TimestampOf(now) + 5_000_000, poll.TimestampOf(now) + 5_000_001},
	}
	for _, test := range tests {
		if got := poll.NextTimestamp(now, test.last); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	if got := poll.TimestampOf(now).Time(); !got.Equal(now.Truncate(time.Microsecond)) {
		t.Errorf("the timestamp is %s, want %s", got, now)
	}
}

func TestVoteCheck(t *testing.T) {
	good := poll.Vote{Voter: voter(1), Choice: poll.A, CastAt: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*poll.Vote){
		"no voter":     func(v *poll.Vote) { v.Voter = poll.VoterID{} },
		"no choice":    func(v *poll.Vote) { v.Choice = poll.None },
		"no timestamp": func(v *poll.Vote) { v.CastAt = 0 },
		"before":       func(v *poll.Vote) { v.CastAt = -1 },
		"year 10000":   func(v *poll.Vote) { v.CastAt = poll.TimestampOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) },
	} {
		vote := good
		spoil(&vote)
		if vote.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestVoterID(t *testing.T) {
	id := poll.NewVoterID()
	if id == poll.NewVoterID() {
		t.Fatal("two voters are the same")
	}
	back, err := poll.ParseVoterID(id.String())
	if err != nil || back != id {
		t.Errorf("%s came back as %s, %v", id, back, err)
	}
	for _, text := range []string{"", "00", strings.Repeat("0", 32), strings.Repeat("A", 32), strings.Repeat("g", 32),
		id.String() + "0", " " + id.String()[1:], strings.Repeat("é", 16)} {
		if _, err := poll.ParseVoterID(text); err == nil {
			t.Errorf("ParseVoterID(%q): no error", text)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("a voter", "voter", id)
	if strings.Contains(log.String(), id.String()) || strings.Contains(log.String(), fmt.Sprint([16]byte(id))) {
		t.Errorf("the log has the voter: %s", log.String())
	}
}
