package postgres

import (
	"crypto/sha256"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/text/unicode/norm"
)

// passwordForSCRAM is the text to give pgx so that it proves to know the password as PostgreSQL stored it.
//
// PostgreSQL, and its own clients, normalise a password by SASLprep (RFC 4013), so that ½ is 1⁄2. pgx normalises it by another rule
// (RFC 8265), and what that does not allow it takes as it is. So this is what PostgreSQL makes of the password, in a form that
// pgx leaves alone. SCRAM uses it as the key of an HMAC. A key shorter than HMAC's block is padded with zeros, so a zero more makes
// no other key, and a longer key stands for its hash. With a zero in it, pgx takes a password as it is.
//
// Only a password of 64 bytes has no such form. It is given as it is: pgx changes it only if PostgreSQL does not normalise it, for a
// character that SASLprep prohibits, while it is not in Unicode's form NFC.
func passwordForSCRAM(password string) string {
	prepared := saslprep(password)
	if isASCII(prepared) {
		return prepared
	}
	if len(prepared) > sha256.BlockSize {
		hash := sha256.Sum256([]byte(prepared))
		prepared = string(hash[:])
	}
	if len(prepared) == sha256.BlockSize {
		return prepared
	}
	return prepared + "\x00"
}

// saslprep is what PostgreSQL makes of a password, as in its src/common/saslprep.c: SASLprep, or the password as it is if SASLprep
// does not allow it. Other than the standard, PostgreSQL looks for what is not allowed before it normalises.
func saslprep(password string) string {
	if isASCII(password) || !utf8.ValidString(password) {
		return password
	}
	spaces := stringprep.Mapping{}
	for _, ends := range stringprep.TableC1_2 {
		for space := ends[0]; space <= ends[1]; space++ {
			spaces[space] = []rune{' '}
		}
	}
	profile := stringprep.Profile{
		Mappings:  []stringprep.Mapping{spaces, stringprep.TableB1},
		Prohibits: stringprep.SASLprep.Prohibits,
		CheckBiDi: true,
	}
	mapped, err := profile.Prepare(password)
	if err != nil || mapped == "" {
		return password
	}
	return norm.NFKC.String(mapped)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
