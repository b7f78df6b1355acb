package poll_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll"
)

func TestNewBallot(t *testing.T) {
	for name, labels := range map[string][2]string{
		"plain":            {"Cats", "Dogs"},
		"space around":     {"  Cats ", "\tDogs"},
		"other scripts":    {"猫", "犬 <b>"},
		"forty characters": {strings.Repeat("猫", 40), "Dogs"},
	} {
		ballot, err := poll.NewBallot(labels[0], labels[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := map[poll.Choice]string{poll.A: strings.TrimSpace(labels[0]), poll.B: strings.TrimSpace(labels[1]), poll.None: ""}
		for choice, label := range want {
			if got := ballot.Label(choice); got != label {
				t.Errorf("%s: the label of %q is %q, want %q", name, choice, got, label)
			}
		}
	}
}

func TestNewBallotReportsEveryFault(t *testing.T) {
	type fault struct {
		option  poll.Choice
		problem string
	}
	const empty, long, unprintable, same = "is empty", "is longer than 40 characters", "has characters that cannot be printed",
		"is the same as the other option's"
	for name, test := range map[string]struct {
		a, b string
		want []fault
	}{
		"empty":             {"", "Dogs", []fault{{poll.A, empty}}},
		"both empty":        {" ", "", []fault{{poll.A, empty}, {poll.B, empty}}},
		"same":              {"Cats", " Cats", []fault{{poll.B, same}}},
		"same but for case": {"Cats", "cATS", []fault{{poll.B, same}}},
		"too long":          {strings.Repeat("c", 41), "Dogs", []fault{{poll.A, long}}},
		"line break":        {"Cats\nand", "Dogs", []fault{{poll.A, unprintable}}},
		"not UTF-8":         {"Cats", "\xff", []fault{{poll.B, unprintable}}},
		"too long, not UTF-8, same": {strings.Repeat("\xff", 41), strings.Repeat("\xff", 41),
			[]fault{{poll.A, long}, {poll.A, unprintable}, {poll.B, long}, {poll.B, unprintable}, {poll.B, same}}},
	} {
		_, err := poll.NewBallot(test.a, test.b)
		faults, ok := errors.AsType[poll.LabelFaults](err)
		if !ok {
			t.Errorf("%s: the error is %v, want a LabelFaults", name, err)
			continue
		}
		var got []fault
		for _, f := range faults {
			got = append(got, fault{f.Option, f.Problem})
			if want := strings.TrimSpace(map[poll.Choice]string{poll.A: test.a, poll.B: test.b}[f.Option]); f.Label != want || f.Remedy == "" {
				t.Errorf("%s: the fault is %+v, want the label %q and a remedy", name, f, want)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: the faults are %v, want %v", name, got, test.want)
		}
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
