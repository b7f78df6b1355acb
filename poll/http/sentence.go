package http

import "golang.org/x/text/unicode/bidi"

// Around a part of a sentence, these have it run in its own direction.
const (
	firstStrongIsolate    = "\u2068"
	popDirectionalIsolate = "\u2069"
)

// inSentence returns a label as it stands in an English sentence. One of a script that runs from right to left is isolated: its last
// punctuation would otherwise stand at its wrong end.
func inSentence(label string) string {
	for _, r := range label {
		properties, _ := bidi.LookupRune(r)
		if class := properties.Class(); class == bidi.R || class == bidi.AL {
			return firstStrongIsolate + label + popDirectionalIsolate
		}
	}
	return label
}

// question is what voters are asked.
func question(labelA, labelB string) string {
	return inSentence(labelA) + " or " + inSentence(labelB) + "?"
}
