package poll

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// VoterID identifies one voter: 128 random bits, so that nobody guesses another voter's and no two voters get the same one
// (with a million voters the chance is below 1 in 10^26). It says nothing about the person.
type VoterID [16]byte

// NewVoterID makes a voter from the operating system's random source.
func NewVoterID() VoterID {
	var id VoterID
	rand.Read(id[:]) // never fails: crypto/rand ends the program rather than return weak numbers
	return id
}

// ParseVoterID reads what String wrote: 32 lower-case hexadecimal digits. All zeros stand for nobody and are an error.
func ParseVoterID(text string) (VoterID, error) {
	var id VoterID
	if len(text) != 2*len(id) {
		return VoterID{}, fmt.Errorf("voter has %d characters, want %d hexadecimal digits", len(text), 2*len(id))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return VoterID{}, fmt.Errorf("voter has the character %q, want lower-case hexadecimal digits", c)
		}
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return VoterID{}, fmt.Errorf("voter: %w", err)
	}
	if id.IsZero() {
		return VoterID{}, fmt.Errorf("voter is all zeros, which stands for nobody")
	}
	return id, nil
}

// IsZero reports whether id stands for nobody.
func (id VoterID) IsZero() bool { return id == VoterID{} }

// String is the voter in 32 lower-case hexadecimal digits, for the queue.
func (id VoterID) String() string { return hex.EncodeToString(id[:]) }

// LogValue keeps voters out of logs, even by mistake.
func (id VoterID) LogValue() slog.Value { return slog.StringValue("[voter]") }
