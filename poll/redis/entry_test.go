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

func TestParseVote(t *testing.T) {
	vote, err := parseVote(fieldsOf("voter", someVoter, "choice", "b", "cast_at", "1770593400000000"))
	if err != nil {
		t.Fatal(err)
	}
	if vote.Voter.String() != someVoter || vote.Choice != poll.B || vote.CastAt != 1770593400000000 {
		t.Errorf("read %+v", vote)
	}
	if _, err := parseVote(fieldsOf("cast_at", "1", "choice", "a", "voter", someVoter)); err != nil {
		t.Errorf("in another order: %v", err)
	}
	tests := map[string]struct {
		fields []string
		want   string
	}{
		"nothing":          {nil, `field "voter" is missing`},
		"no moment":        {[]string{"voter", someVoter, "choice", "a"}, `field "cast_at" is missing`},
		"twice":            {[]string{"voter", someVoter, "choice", "a", "choice", "b", "cast_at", "1"}, `"choice" comes twice`},
		"unknown field":    {[]string{"voter", someVoter, "choice", "a", "cast_at", "1", "weight", "9"}, `"weight" is not known`},
		"unknown option":   {[]string{"voter", someVoter, "choice", "c", "cast_at", "1"}, "not an option"},
		"voter too short":  {[]string{"voter", "00", "choice", "a", "cast_at", "1"}, "has 2 characters"},
		"nobody":           {[]string{"voter", strings.Repeat("0", 32), "choice", "a", "cast_at", "1"}, "nobody"},
		"moment in words":  {[]string{"voter", someVoter, "choice", "a", "cast_at", "now"}, "microseconds"},
		"moment signed":    {[]string{"voter", someVoter, "choice", "a", "cast_at", "+1"}, "microseconds"},
		"moment padded":    {[]string{"voter", someVoter, "choice", "a", "cast_at", "01"}, "microseconds"},
		"moment too great": {[]string{"voter", someVoter, "choice", "a", "cast_at", "9223372036854775807"}, "between 1970 and 9999"},
		"moment too long":  {[]string{"voter", someVoter, "choice", "a", "cast_at", strings.Repeat("9", 100000)}, "microseconds"},
		"moment zero":      {[]string{"voter", someVoter, "choice", "a", "cast_at", "0"}, "between 1970 and 9999"},
	}
	for name, test := range tests {
		_, err := parseVote(fieldsOf(test.fields...))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

// Whatever reads as a vote is one, and has one spelling.
func FuzzParseVote(f *testing.F) {
	f.Add("voter", someVoter, "choice", "a", "cast_at", "1")
	f.Add("voter", someVoter, "choice", "c", "cast_at", "-1")
	f.Add("", "", "voter", "\xff", "cast_at", "9223372036854775808")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		fields := fieldsOf(a, b, c, d, e, g)
		vote, err := parseVote(fields)
		if err != nil {
			return
		}
		if err := vote.Check(); err != nil {
			t.Fatalf("%q reads as a vote that is none: %v", fields, err)
		}
		written := map[string]string{
			voterField: vote.Voter.String(), choiceField: vote.Choice.String(), castAtField: formatMoment(vote.CastAt),
		}
		for _, field := range fields {
			if written[field.Field] != field.Value {
				t.Fatalf("%s is %q and would be written %q", field.Field, field.Value, written[field.Field])
			}
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
