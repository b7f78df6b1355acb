package http

import (
	"math"
	"testing"

	"swarm-scale/poll"
)

func newTestSeal(t testing.TB, key string) *seal {
	t.Helper()
	seal, err := newSeal([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

func TestCookie(t *testing.T) {
	seal := newTestSeal(t, string(testKey))
	cards := []voterCard{
		{voter: poll.NewVoterID()},
		{voter: poll.NewVoterID(), choice: poll.A, last: 1},
		{voter: poll.NewVoterID(), choice: poll.B, last: poll.Timestamp(1770593400123456)},
	}
	for _, card := range cards {
		value := seal.write(card)
		if got, err := seal.read(value); err != nil || got != card {
			t.Errorf("%+v came back as %+v (%v)", card, got, err)
		}
		if _, err := newTestSeal(t, "another key, also of 32 bytes!!!").read(value); err == nil {
			t.Error("a cookie of another key is taken for ours")
		}
		// No other text is: every character changed in turn, and some added or missing.
		for i := range value {
			for _, c := range []byte("AB_-=. \x00\xff") {
				changed := []byte(value)
				if changed[i] == c {
					continue
				}
				changed[i] = c
				if _, err := seal.read(string(changed)); err == nil {
					t.Errorf("%q with %q at %d is taken for ours", value, c, i)
				}
			}
		}
		for _, other := range []string{value + "A", value + "=", value[1:], value[:len(value)-1], " " + value, value + value, ""} {
			if _, err := seal.read(other); err == nil {
				t.Errorf("%q is taken for ours", other)
			}
		}
	}
	// Signed with our key and yet impossible: another version of the program might write such.
	for _, card := range []voterCard{{}, {voter: cards[0].voter, choice: 'z'}, {voter: cards[0].voter, last: -1},
		{voter: cards[0].voter, last: math.MaxInt64}} {
		if _, err := seal.read(seal.write(card)); err == nil {
			t.Errorf("%+v is accepted", card)
		}
	}
}

// Nothing that is not signed by us reads as a voter, and nothing makes reading fail in another way.
func FuzzCookie(f *testing.F) {
	seal := newTestSeal(f, string(testKey))
	f.Add(seal.write(voterCard{voter: poll.VoterID{1}, choice: poll.A, last: 5}))
	f.Add("")
	f.Add("AQAA====")
	f.Fuzz(func(t *testing.T, value string) {
		card, err := seal.read(value)
		if err == nil && seal.write(card) != value {
			t.Fatalf("%q reads as a voter whose cookie is %q", value, seal.write(card))
		}
	})
}
