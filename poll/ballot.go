package poll

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Choice is one of the two options on the ballot, by its identifier: 'a' or 'b'. The zero value is no choice at all.
type Choice byte

// The options of the ballot. None is what a voter who has not voted yet has chosen.
const (
	None Choice = 0
	A    Choice = 'a'
	B    Choice = 'b'
)

// Choices are the options in the order of the ballot.
func Choices() [2]Choice { return [2]Choice{A, B} }

// ErrUnknownOption is returned for a choice that is not on the ballot.
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

// maxLabel is how many characters a label may have: longer ones do not fit a button on a phone.
const maxLabel = 40

// Ballot is the question: two options, known to the system by their identifiers and to people by these labels.
type Ballot struct {
	labelA, labelB string
}

// NewBallot makes a ballot of two labels. Surrounding space is dropped. The error names every fault: an empty label, one
// of more than 40 characters, one with characters that cannot be printed, and two that are the same.
func NewBallot(labelA, labelB string) (Ballot, error) {
	labelA, labelB = strings.TrimSpace(labelA), strings.TrimSpace(labelB)
	faults := []error{checkLabel("first", labelA), checkLabel("second", labelB)}
	if labelA == labelB && labelA != "" {
		faults = append(faults, fmt.Errorf("both options are called %q: give them different names", labelA))
	}
	if err := errors.Join(faults...); err != nil {
		return Ballot{}, err
	}
	return Ballot{labelA: labelA, labelB: labelB}, nil
}

func checkLabel(which, label string) error {
	switch {
	case label == "":
		return fmt.Errorf("the %s option has no name: give it one, for instance Cats", which)
	case !utf8.ValidString(label):
		return fmt.Errorf("the %s option's name %q is not valid UTF-8: encode it so", which, label)
	case utf8.RuneCountInString(label) > maxLabel:
		return fmt.Errorf("the %s option's name %q has %d characters: use at most %d",
			which, label, utf8.RuneCountInString(label), maxLabel)
	case strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the %s option's name %q has a character that cannot be printed: leave it out", which, label)
	}
	return nil
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
