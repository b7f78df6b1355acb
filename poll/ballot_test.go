package poll_test

import (
	"errors"
	"strings"
	"testing"

	"swarm-scale/poll"
)

func TestNewBallot(t *testing.T) {
	tests := []struct {
		name, a, b string
		faults     []string // none: a good ballot
	}{
		{"plain", "Cats", "Dogs", nil},
		{"trimmed", "  Cats ", "\tDogs", nil},
		{"other scripts", "猫", "犬 <b>", nil},
		{"forty characters", strings.Repeat("猫", 40), "Dogs", nil},
		{"empty", "", "Dogs", []string{"the first option has no name"}},
		{"both empty", " ", "", []string{"the first option has no name", "the second option has no name"}},
		{"same", "Cats", " Cats", []string{`both options are called "Cats"`}},
		{"too long", strings.Repeat("c", 41), "Dogs", []string{"has 41 characters: use at most 40"}},
		{"line break", "Cats\nand", "Dogs", []string{"cannot be printed"}},
		{"not UTF-8", "Cats", "\xff", []string{"not valid UTF-8"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ballot, err := poll.NewBallot(test.a, test.b)
			if test.faults == nil {
				if err != nil {
					t.Fatal(err)
				}
				if got, want := ballot.Label(poll.A), strings.TrimSpace(test.a); got != want {
					t.Errorf("the first label is %q, want %q", got, want)
				}
				if got, want := ballot.Label(poll.B), strings.TrimSpace(test.b); got != want {
					t.Errorf("the second label is %q, want %q", got, want)
				}
				if got := ballot.Label(poll.None); got != "" {
					t.Errorf("no choice has the label %q", got)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, fault := range test.faults {
				if !strings.Contains(err.Error(), fault) {
					t.Errorf("the error is %q, want %q in it", err, fault)
				}
			}
		})
	}
}

func TestParseChoice(t *testing.T) {
	for _, choice := range poll.Choices() {
		got, err := poll.ParseChoice(choice.String())
		if err != nil || got != choice {
			t.Errorf("ParseChoice(%q) = %v, %v", choice, got, err)
		}
	}
	for _, id := range []string{"", "c", "A", "ab", "a ", "\x00", "'; DROP TABLE votes", strings.Repeat("a", 1000)} {
		got, err := poll.ParseChoice(id)
		if !errors.Is(err, poll.ErrUnknownOption) || got != poll.None {
			t.Errorf("ParseChoice(%q) = %v, %v; want ErrUnknownOption", id, got, err)
		}
		if len(err.Error()) > 200 {
			t.Errorf("the error repeats the whole input: %d bytes", len(err.Error()))
		}
	}
}
