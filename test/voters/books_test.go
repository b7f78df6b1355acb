package voters

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll"
)

func TestRecordKeepsPossibleChoices(t *testing.T) {
	type step struct {
		acknowledged bool
		choice       poll.Choice
	}
	for _, test := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"no vote", nil, "no vote"},
		{"unacknowledged", []step{{false, poll.A}}, "a or no vote"},
		{"acknowledged", []step{{true, poll.A}}, "a"},
		{"changed, unacknowledged", []step{{true, poll.A}, {false, poll.B}}, "a or b"},
		{"changed, acknowledged", []step{{true, poll.A}, {false, poll.B}, {true, poll.B}}, "b"},
		{"repeated, unacknowledged", []step{{true, poll.A}, {false, poll.A}}, "a"},
		{"both unacknowledged", []step{{false, poll.A}, {false, poll.B}}, "a or b or no vote"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var books Books
			record := books.Open()
			for _, step := range test.steps {
				record.Sent(step.choice)
				if step.acknowledged {
					record.Acknowledged(step.choice)
				}
			}
			if got := record.Possible().String(); got != test.want {
				t.Errorf("possible are %s, want %s", got, test.want)
			}
		})
	}
}

// The bounds allow exactly the tallies that come of one possible choice for each voter.
func TestBoundsAllowPossibleTallies(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var books Books
		possible := map[poll.Tally]bool{{}: true}
		for range random.IntN(6) {
			record := books.Open()
			record.possible = Choices(1 + random.IntN(7))
			next := map[poll.Tally]bool{}
			for tally := range possible {
				for choice, one := range map[poll.Choice]poll.Tally{poll.A: {A: 1}, poll.B: {B: 1}, poll.None: {}} {
					if record.possible.Has(choice) {
						next[poll.Tally{A: tally.A + one.A, B: tally.B + one.B}] = true
					}
				}
			}
			possible = next
		}
		bounds := books.Bounds()
		for a := int64(0); a <= 6; a++ {
			for b := int64(0); b <= 6; b++ {
				tally := poll.Tally{A: a, B: b}
				if err := bounds.Check(tally); (err == nil) != possible[tally] {
					t.Fatalf("%+v within %s: %v, and the possible tallies are %v", tally, bounds, err, slices.Collect(maps.Keys(possible)))
				}
			}
		}
		if tally, exact := bounds.Exact(); exact != (len(possible) == 1) || exact && !possible[tally] {
			t.Fatalf("exact %v, %+v, and the possible tallies are %v", exact, tally, slices.Collect(maps.Keys(possible)))
		}
	}
}

func TestCompareFindsWrongVoters(t *testing.T) {
	var books Books
	stored := map[poll.VoterID]poll.Choice{}
	open := func(choice poll.Choice) poll.VoterID {
		record := books.Open()
		id := poll.NewVoterID()
		if err := record.Identify(id); err != nil {
			t.Fatal(err)
		}
		record.Acknowledged(choice)
		stored[id] = choice
		return id
	}
	lost, wrong := open(poll.A), open(poll.B)
	books.Open().Sent(poll.A) // may be stored or not
	if err := books.Compare(stored); err != nil {
		t.Errorf("what is stored is right, but: %v", err)
	}
	delete(stored, lost)
	stored[wrong] = poll.A
	stranger := poll.NewVoterID()
	stored[stranger] = poll.B
	err := books.Compare(stored)
	if err == nil {
		t.Fatal("nothing is found")
	}
	for _, want := range []string{
		lost.String() + " is stored with no vote, want a",
		wrong.String() + " is stored with a, want b",
		stranger.String() + " is stored with b, want nothing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	for range 30 {
		delete(stored, open(poll.A))
	}
	if err := books.Compare(stored); err == nil || !strings.Contains(err.Error(), "33 voters in all") ||
		strings.Count(err.Error(), "\n") != mostFaults {
		t.Errorf("of 33 wrong voters: %v, want %d and their number", err, mostFaults)
	}
}

func TestVoterStaysTheSame(t *testing.T) {
	var books Books
	record := books.Open()
	id := poll.NewVoterID()
	for range 2 {
		if err := record.Identify(id); err != nil {
			t.Error(err)
		}
	}
	if err := record.Identify(poll.NewVoterID()); err == nil || record.ID() != id {
		t.Errorf("another voter: %v, and the record is of %s, want an error and %s", err, record.ID(), id)
	}
}
