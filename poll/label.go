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

// looksOf is the same for labels that look alike: whatever their case, their compatible characters (ﬁ and fi, full width and half),
// their spaces, and what of them is invisible.
func looksOf(label string) string {
	visible := strings.Map(func(r rune) rune {
		if isIgnorable(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(label))
	folded := norm.NFKC.String(cases.Fold().String(visible))
	return strings.Join(strings.Fields(folded), " ")
}

// isText reports whether a character may be in a label: letters, marks, digits, punctuation, symbols and spaces of all scripts, and
// the format characters that words or emoji are written with.
func isText(r rune) bool {
	switch {
	case r == utf8.RuneError: // also what is not UTF-8
		return false
	case unicode.IsGraphic(r), unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return true
	case r >= 0x1F000 && r <= 0x1FAFF: // of emoji, also those that are younger than this program
		return true
	}
	switch r {
	case '\u200c', '\u200d', // the joiners: Persian and Indic words, emoji that are several in one
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

// brailleBlank is a symbol without a dot.
const brailleBlank = '\u2800'

// isVisible reports whether a character is seen although no other is beside it.
func isVisible(r rune) bool {
	return !isIgnorable(r) && r != brailleBlank && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r)
}

// A flag of a part of a country, such as Scotland's, is a black flag, tags that name the part, and the tag that ends it.
const (
	blackFlag = '\U0001f3f4'
	endTag    = '\U000e007f'
)

// isTag reports whether a character is one of the invisible tags.
func isTag(r rune) bool { return r >= 0xE0020 && r <= endTag }

// withoutSubdivisionFlags is the text without such flags. A tag that is left may hide a text.
func withoutSubdivisionFlags(text []rune) []rune {
	var rest []rune
	for i := 0; i < len(text); i++ {
		if text[i] == blackFlag {
			tags := 0
			for i+1+tags < len(text) && isTag(text[i+1+tags]) {
				tags++
			}
			if tags > 1 && slices.Index(text[i+1:i+1+tags], endTag) == tags-1 {
				i += tags
			}
			rest = append(rest, blackFlag)
			continue
		}
		rest = append(rest, text[i])
	}
	return rest
}
