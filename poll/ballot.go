package poll

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// Choice is one of the two options on the ballot, by its identifier: 'a' or 'b'. The zero value is None.
type Choice byte

// The options of the ballot. None is what a voter who has not voted yet has chosen.
const (
	None Choice = 0
	A    Choice = 'a'
	B    Choice = 'b'
)

// Choices are the options in the order of the ballot.
func Choices() [2]Choice { return [2]Choice{A, B} }

// ErrUnknownOption is wrapped by errors about a choice that is not on the ballot.
var ErrUnknownOption = errors.New("not an option on the ballot")

// ParseChoice reads the identifier of an option, "a" or "b". Any other text is an error that wraps ErrUnknownOption.
func ParseChoice(id string) (Choice, error) {
	switch id {
	case "a":
		return A, nil
	case "b":
		return B, nil
	}
	return None, fmt.Errorf("%w: %.20q (options are \"a\" and \"b\")", ErrUnknownOption, id)
}

// Valid reports whether c is an option on the ballot; None is not.
func (c Choice) Valid() bool { return c == A || c == B }

// String is the identifier of the option, or the empty string for None.
func (c Choice) String() string {
	if !c.Valid() {
		return ""
	}
	return string(rune(c))
}

const (
	// maxLabel is how many characters a label may have: longer ones do not fit a button on a phone. A letter with its marks is one, and so
	// is a flag or a family.
	maxLabel = 40
	// maxCodePoints is how many code points these may have. The longest emoji have ten.
	maxCodePoints = 400
	// maxMarks is how many marks may follow each other. More of them draw over what is beside.
	maxMarks = 6
)

// Ballot is the question: two options, each with an identifier for the system and a label for people.
type Ballot struct {
	labelA, labelB string
}

// LabelFault is one thing that is wrong with the label of one option. It does not say where the label comes from: whoever
// read it adds the name of the setting.
type LabelFault struct {
	Option  Choice
	Label   string // without surrounding space
	Problem string // "is longer than 40 characters"
	Remedy  string // "shorten it"
}

// Error is one line: option, label, problem, remedy.
func (f LabelFault) Error() string {
	return fmt.Sprintf("label of option %s is %.80q, which %s: %s", f.Option, f.Label, f.Problem, f.Remedy)
}

// LabelFaults is everything that is wrong with the labels of a ballot.
type LabelFaults []LabelFault

// Error is one line for each fault.
func (f LabelFaults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// NewBallot makes a ballot of two labels, in the Unicode form NFC and without surrounding space. An error is a LabelFaults with every
// fault: a label that is empty or invisible, is longer than 40 characters, has characters that cannot be printed or that turn the
// direction of the text around, or looks like the other one.
func NewBallot(labelA, labelB string) (Ballot, error) {
	labelA, labelB = cleanLabel(labelA), cleanLabel(labelB)
	faults := slices.Concat(checkLabel(A, labelA), checkLabel(B, labelB))
	if labelA != "" && lookAlike(labelA, labelB) {
		faults = append(faults, LabelFault{B, labelB, "is the same as the other option's", "give the two options different labels"})
	}
	if len(faults) > 0 {
		return Ballot{}, faults
	}
	return Ballot{labelA: labelA, labelB: labelB}, nil
}

func checkLabel(option Choice, label string) (faults LabelFaults) {
	fault := func(problem, remedy string) { faults = append(faults, LabelFault{option, label, problem, remedy}) }
	text := []rune(label)
	switch {
	case label == "":
		fault("is empty", "give the option a label, such as Cats")
	case !slices.ContainsFunc(text, isVisible):
		fault("is invisible", "give the option a label that can be seen, such as Cats")
	case unicode.Is(unicode.M, text[0]):
		fault("begins with a mark that belongs on a letter", "begin with a letter, such as in Cats")
	}
	if uniseg.GraphemeClusterCount(label) > maxLabel || len(text) > maxCodePoints {
		fault(fmt.Sprintf("is longer than %d characters", maxLabel), "shorten it, so that it fits a button")
	}
	if longestRun(text, unicode.M) > maxMarks {
		fault(fmt.Sprintf("has more than %d marks on one letter", maxMarks), "leave some out")
	}
	if slices.ContainsFunc(text, turnsDirection) {
		fault("has characters that turn the direction of the text around", "leave them out: browsers know which way a script runs")
	}
	if slices.ContainsFunc(withoutSubdivisionFlags(text), func(r rune) bool { return !isText(r) && !turnsDirection(r) }) {
		fault("has characters that cannot be printed", "use plain text, such as Cats")
	}
	return faults
}

// longestRun returns how many characters of a class follow each other at most.
func longestRun(text []rune, class *unicode.RangeTable) int {
	run, longest := 0, 0
	for _, r := range text {
		if run++; !unicode.Is(class, r) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// Label is what people call the option; the empty string for None.
func (b Ballot) Label(c Choice) string {
	switch c {
	case A:
		return b.labelA
	case B:
		return b.labelB
	}
	return ""
}
