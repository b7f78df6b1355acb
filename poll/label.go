package poll

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// cleanLabel is a label in the Unicode form NFC, so that "Café" has one spelling, without surrounding space.
func cleanLabel(label string) string {
	if !utf8.ValidString(label) {
		return strings.TrimSpace(label)
	}
	return strings.TrimSpace(norm.NFC.String(label))
}

// lookAlike reports whether two labels look alike: whatever their case, or by letters of other scripts.
func lookAlike(one, other string) bool {
	return looksOf(one) == looksOf(other) || looksOf(latinized(one)) == looksOf(latinized(other))
}

// looksOf is the same for labels that look alike: whatever their case, their compatible characters (ﬁ and fi, full width and half),
// their spaces, hyphens and quotation marks, and what of them is invisible.
func looksOf(label string) string {
	look := func(r rune) rune {
		switch {
		case r == brailleBlank:
			return ' '
		case isIgnorable(r), r == nullNotehead:
			return -1
		case r >= '\u2010' && r <= '\u2013', r == '\u2212': // hyphens, dashes, the sign of a negative number
			return '-'
		case r >= '\u2018' && r <= '\u201b', r == '\u02bc', r == '\u2032', r == '`', r == '\u00b4':
			return '\''
		case r >= '\u201c' && r <= '\u201f', r == '\u2033':
			return '"'
		}
		return r
	}
	visible := strings.Map(look, norm.NFKC.String(strings.Map(look, label)))
	folded := norm.NFKC.String(cases.Fold().String(visible))
	return strings.Join(strings.Fields(folded), " ")
}

// latinized is the label with common Latin letters for those of Cyrillic, Greek, Armenian, Cherokee and phonetic alphabets that look like
// them. Some do in one case only.
func latinized(label string) string {
	return norm.NFKC.String(likeLatin.Replace(norm.NFKD.String(label)))
}

var likeLatin = strings.NewReplacer(
	"А", "A", "В", "B", "Е", "E", "Ѕ", "S", "І", "I", "Ј", "J", "К", "K", "М", "M", "Н", "H", "О", "O", "Р", "P", "С", "C", "Т", "T", "У", "Y", "Х", "X",
	"а", "a", "е", "e", "ѕ", "s", "і", "i", "ј", "j", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "һ", "h", "ԁ", "d", "ԛ", "q", "ԝ", "w",
	"Α", "A", "Β", "B", "Ε", "E", "Ζ", "Z", "Η", "H", "Ι", "I", "Κ", "K", "Μ", "M", "Ν", "N", "Ο", "O", "Ρ", "P", "Τ", "T", "Υ", "Y", "Χ", "X",
	"α", "a", "γ", "y", "η", "n", "ι", "i", "κ", "k", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "u", "χ", "x", "ϲ", "c", "ϳ", "j", "ѵ", "v",
	"Լ", "L", "Օ", "O", "Ս", "U", "Տ", "S", "գ", "q", "զ", "q", "հ", "h", "յ", "j", "ո", "n", "ս", "u", "ց", "g", "օ", "o",
	"Ꭰ", "D", "Ꭱ", "R", "Ꭲ", "T", "Ꭺ", "A", "Ꭻ", "J", "Ꭼ", "E", "Ꮃ", "W", "Ꮇ", "M", "Ꮋ", "H", "Ꮐ", "G", "Ꮓ", "Z", "Ꮢ", "R", "Ꮩ", "V", "Ꮪ", "S",
	"Ꮮ", "L", "Ꮯ", "C", "Ꮲ", "P", "Ꮶ", "K", "Ᏼ", "B",
	"ɑ", "a", "ɡ", "g", "ɩ", "i", "ʋ", "v")

// isText reports whether a character may be in a label: letters, marks, digits, punctuation, symbols and spaces of all scripts, and
// the format characters that words or emoji are written with.
func isText(r rune) bool {
	switch {
	case r == utf8.RuneError, r == '\ufffc': // what is not UTF-8, and the place of an object that is not there
		return false
	case unicode.IsGraphic(r), unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return true
	case r >= 0x1F000 && r <= 0x1FAFF: // of emoji, also those that are younger than this program
		return true
	}
	switch r {
	case '\u180e', // separates a vowel in Mongolian
		'\u200c', '\u200d', // the joiners: Persian and Indic words, emoji that are several in one
		'\u200b', '\u2060', '\u00ad', // where a word may be broken, and where not
		'\u200e', '\u200f', '\u061c': // the marks of direction, which only place the punctuation beside them
		return true
	}
	return false
}

// turnsDirection reports whether a character makes the text after it run in another direction than its script does, so that a label
// can look like another one.
func turnsDirection(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// isIgnorable reports whether a character shows nothing by itself.
func isIgnorable(r rune) bool {
	return unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !isTag(r)
}

// Symbols of which nothing is seen: in Braille one without a dot, in music a note without its head.
const (
	brailleBlank = '\u2800'
	nullNotehead = '\U0001d159'
)

// isVisible reports whether a character is seen although no other is beside it.
func isVisible(r rune) bool {
	return !isIgnorable(r) && r != brailleBlank && r != nullNotehead && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r)
}

// A flag of a part of a country is a black flag, tags that name the part, and the tag that ends it. Of all others a black flag is seen.
const (
	blackFlag = '\U0001f3f4'
	firstTag  = 0xE0000 // of a character of ASCII
	endTag    = '\U000e007f'
)

// subdivisions are England, Scotland and Wales.
var subdivisions = []string{"gbeng", "gbsct", "gbwls"}

// isTag reports whether a character is one of the invisible tags.
func isTag(r rune) bool { return r >= 0xE0020 && r <= endTag }

// withoutSubdivisionFlags is the text without such flags. A tag that is left may hide a text.
func withoutSubdivisionFlags(text []rune) []rune {
	var rest []rune
	for i := 0; i < len(text); i++ {
		if text[i] == blackFlag {
			var part []byte
			end := i + 1
			for ; end < len(text) && isTag(text[end]) && text[end] != endTag; end++ {
				part = append(part, byte(text[end]-firstTag))
			}
			if end < len(text) && text[end] == endTag && slices.Contains(subdivisions, string(part)) {
				i = end
			}
			rest = append(rest, blackFlag)
			continue
		}
		rest = append(rest, text[i])
	}
	return rest
}
