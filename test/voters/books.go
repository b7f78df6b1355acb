package voters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"swarm-scale/poll"
)

// Choices is a set of choices, poll.None among them: what the poll may count for one voter.
type Choices uint8

// Only is the set of one choice.
func Only(choice poll.Choice) Choices {
	switch choice {
	case poll.A:
		return 1
	case poll.B:
		return 2
	}
	return 4
}

// Has reports whether the choice is in the set.
func (c Choices) Has(choice poll.Choice) bool { return c&Only(choice) != 0 }

// Certain reports whether the set has one choice only.
func (c Choices) Certain() bool { return c&(c-1) == 0 }

// String lists the choices, such as "a or no vote".
func (c Choices) String() string {
	var names []string
	for _, choice := range []poll.Choice{poll.A, poll.B, poll.None} {
		if c.Has(choice) {
			names = append(names, name(choice))
		}
	}
	return strings.Join(names, " or ")
}

func name(choice poll.Choice) string {
	if choice == poll.None {
		return "no vote"
	}
	return choice.String()
}

// Record is the page of the books about one voter. Its methods can be called concurrently.
type Record struct {
	mu       sync.Mutex
	id       poll.VoterID
	possible Choices
}

// ID is the voter, or zero until the poll has said who it is.
func (r *Record) ID() poll.VoterID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// Identify notes who the voter is. It is an error if the voter was somebody else before: that one's vote counts, too.
func (r *Record) Identify(id poll.VoterID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.id.IsZero() && r.id != id {
		return fmt.Errorf("voter %s became %s", r.id, id)
	}
	r.id = id
	return nil
}

// Sent notes that a vote is being sent. From now on the poll may count it.
func (r *Record) Sent(choice poll.Choice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.possible |= Only(choice)
}

// Acknowledged notes that the poll has acknowledged a vote. From now on the poll must count it.
func (r *Record) Acknowledged(choice poll.Choice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.possible = Only(choice)
}

// Possible is what the poll may count for the voter.
func (r *Record) Possible() Choices {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.possible
}

// OtherChoice is a choice that shows when it is lost: not the one that the voter certainly counts for.
func (r *Record) OtherChoice(random *rand.Rand) poll.Choice {
	switch r.Possible() {
	case Only(poll.A):
		return poll.B
	case Only(poll.B):
		return poll.A
	}
	return poll.Choices()[random.IntN(2)]
}

// Books say what the poll may count for each voter: the choice that it acknowledged, and until then every choice that it
// may have taken. Their methods can be called concurrently. The zero value is the books of a poll without voters.
type Books struct {
	mu      sync.Mutex
	records []*Record
}

// Open adds a voter who has not voted.
func (b *Books) Open() *Record {
	record := &Record{possible: Only(poll.None)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, record)
	return record
}

// Records are the records of all voters so far.
func (b *Books) Records() []*Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clip(b.records)
}

// Range is all numbers from Least to Most.
type Range struct{ Least, Most int64 }

func (r Range) has(n int64) bool { return r.Least <= n && n <= r.Most }

// String is the range, or the number if there is only one.
func (r Range) String() string {
	if r.Least == r.Most {
		return fmt.Sprint(r.Least)
	}
	return fmt.Sprintf("%d to %d", r.Least, r.Most)
}

// Bounds are the tallies that books allow: those with each number in its range.
type Bounds struct{ A, B, Total Range }

// Bounds are the tallies that the poll may show now.
func (b *Books) Bounds() Bounds {
	var bounds Bounds
	add := func(r *Range, possible, certain bool) {
		if possible {
			r.Most++
			if certain {
				r.Least++
			}
		}
	}
	for _, record := range b.Records() {
		possible := record.Possible()
		add(&bounds.A, possible.Has(poll.A), possible.Certain())
		add(&bounds.B, possible.Has(poll.B), possible.Certain())
		add(&bounds.Total, possible != Only(poll.None), !possible.Has(poll.None))
	}
	return bounds
}

// Exact is the only tally that the bounds allow; ok is false if they allow several.
func (b Bounds) Exact() (tally poll.Tally, ok bool) {
	tally = poll.Tally{A: b.A.Least, B: b.B.Least}
	return tally, b.A.Least == b.A.Most && b.B.Least == b.B.Most
}

// Check returns an error unless the bounds allow the tally.
func (b Bounds) Check(tally poll.Tally) error {
	if b.A.has(tally.A) && b.B.has(tally.B) && b.Total.has(tally.Total()) {
		return nil
	}
	return fmt.Errorf("the tally is a %d, b %d, want %s", tally.A, tally.B, b)
}

// String is such as "a 3, b 4 to 5, total 7 to 8".
func (b Bounds) String() string { return fmt.Sprintf("a %s, b %s, total %s", b.A, b.B, b.Total) }

// mostFaults is how many faults Compare names.
const mostFaults = 10

// Compare compares what is stored of each voter with the books. The error names the first ten voters that are not stored as
// they should be.
func (b *Books) Compare(stored map[poll.VoterID]poll.Choice) error {
	var faults []error
	count := 0
	fault := func(format string, arguments ...any) {
		if count++; count <= mostFaults {
			faults = append(faults, fmt.Errorf(format, arguments...))
		}
	}
	known := map[poll.VoterID]bool{}
	for _, record := range b.Records() {
		id, possible := record.ID(), record.Possible()
		known[id] = true
		if got := stored[id]; !possible.Has(got) {
			fault("voter %s is stored with %s, want %s", id, name(got), possible)
		}
	}
	for id, choice := range stored {
		if !known[id] {
			fault("voter %s is stored with %s, want nothing: the books do not have this voter", id, name(choice))
		}
	}
	if count > mostFaults {
		faults = append(faults, fmt.Errorf("%d voters in all are not stored as they should be", count))
	}
	return errors.Join(faults...)
}
