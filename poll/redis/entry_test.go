package redis

import (
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

const someVoter = "000102030405060708090a0b0c0d0e0f"

// fieldsOf are a stream entry's fields: names and values in turn.
func fieldsOf(texts ...string) []rueidis.XRangeFieldValue {
	var fields []rueidis.XRangeFieldValue
	for i := 0; i+1 < len(texts); i += 2 {
		fields = append(fields, rueidis.XRangeFieldValue{Field: texts[i], Value: texts[i+1]})
	}
	return fields
}

func TestParseVotes(t *testing.T) {
	good := someVoter + " b 1770593400000000\n"
	votes, err := parseVotes(fieldsOf("votes", good+someVoter+" a 1\n"))
	if err != nil || len(votes) != 2 {
		t.Fatalf("%v, %v", votes, err)
	}
	if votes[0].Voter.String() != someVoter || votes[0].Choice != poll.B || votes[0].CastAt != 1770593400000000 || votes[1].CastAt != 1 {
		t.Errorf("read %+v", votes)
	}
	tests := map[string]struct {
		text, want string
	}{
		"nothing":             {"", "no votes"},
		"an empty line":       {"\n", "not a voter, a choice and a timestamp"},
		"no end":              {someVoter + " a 1", "not a voter, a choice and a timestamp"},
		"no timestamp":        {someVoter + " a\n", "not a voter, a choice and a timestamp"},
		"something more":      {someVoter + " a 1 9\n", "not a voter, a choice and a timestamp"},
		"two spaces":          {someVoter + "  a 1\n", "not a voter, a choice and a timestamp"},
		"unknown option":      {someVoter + " c 1\n", "not an option"},
		"voter too short":     {"00 a 1\n", "has 2 characters"},
		"nobody":              {strings.Repeat("0", 32) + " a 1\n", "nobody"},
		"timestamp in words":  {someVoter + " a now\n", "microseconds"},
		"timestamp signed":    {someVoter + " a +1\n", "microseconds"},
		"timestamp below 0":   {someVoter + " a -1\n", "microseconds"},
		"timestamp padded":    {someVoter + " a 01\n", "microseconds"},
		"timestamp too great": {someVoter + " a 9223372036854775807\n", "between 1970 and 9999"},
		"timestamp too long":  {someVoter + " a " + strings.Repeat("9", 100000) + "\n", "microseconds"},
		"timestamp zero":      {someVoter + " a 0\n", "between 1970 and 9999"},
		"all too long":        {strings.Repeat("x", 100000) + "\n", "not a voter, a choice and a timestamp"},
		"many":                {strings.Repeat("x\n", 100), "and 97 more"},
	}
	for name, test := range tests {
		_, err := parseVotes(fieldsOf("votes", test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
		// What stands beside it is read all the same.
		if test.text != "" && strings.HasSuffix(test.text, "\n") {
			if votes, err := parseVotes(fieldsOf("votes", good+test.text+good)); len(votes) != 2 || err == nil || !strings.Contains(err.Error(), "vote 2: ") {
				t.Errorf("%s, between two that can be read: %v, %v", name, votes, err)
			}
		}
	}
	for name, fields := range map[string][]string{
		"no field":      {},
		"another field": {"vote", good},
		"unknown field": {"votes", good, "weight", "9"},
		"twice":         {"votes", good, "votes", good},
		"many":          {strings.Repeat("x", 100000), "", "", "", "", "", "", ""},
	} {
		if votes, err := parseVotes(fieldsOf(fields...)); len(votes) > 0 || err == nil || !strings.Contains(err.Error(), `want one: "votes"`) || len(err.Error()) > 500 {
			t.Errorf("%s: %v, %v", name, votes, err)
		}
	}
}

// Whatever reads as a vote is one, and has one spelling.
func FuzzParseVotes(f *testing.F) {
	f.Add("votes", someVoter+" a 1\n"+someVoter+" b 1770593400000000\n")
	f.Add("votes", someVoter+" c -1\n")
	f.Add("", "\xff 9223372036854775808\n\n")
	f.Fuzz(func(t *testing.T, field, text string) {
		votes, err := parseVotes(fieldsOf(field, text))
		var written []byte
		for _, vote := range votes {
			if err := vote.Check(); err != nil {
				t.Fatalf("%q reads as a vote that is none: %v", text, err)
			}
			written = appendVote(written, vote)
		}
		if err == nil && string(written) != text {
			t.Fatalf("%q would be written %q", text, written)
		}
	})
}

func TestQueuedAt(t *testing.T) {
	if got := queuedAt("1770593400123-4").UnixMilli(); got != 1770593400123 {
		t.Errorf("read %d", got)
	}
	if got := queuedAt("x"); !got.IsZero() {
		t.Errorf("read %s of nonsense", got)
	}
}
