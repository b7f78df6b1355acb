package settings

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the application's settings.
const (
	minPasswordLength = 12 // characters
	maxPasswordLength = 128
	minVoterKeyBytes  = 32 // once decoded: the length of an HMAC-SHA256
	maxOptionLength   = 40 // characters: what a phone's button shows on two lines
	walkThroughSecret = "pg8675309"
)

func (r *reader) ballot() Ballot {
	b := Ballot{OptionA: r.option(keyOptionA), OptionB: r.option(keyOptionB)}
	if strings.EqualFold(b.OptionA, b.OptionB) {
		r.fault(keyOptionB, b.OptionB, "is the same as optionA", "give the ballot two different options")
	}
	return b
}

func (r *reader) option(key string) string {
	value := r.text(key)
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.fault(key, value, "has characters that cannot be printed", "use plain text, such as %s", defaults[key])
	} else if utf8.RuneCountInString(value) > maxOptionLength {
		r.fault(key, value, "is too long for a button", "use at most %d characters", maxOptionLength)
	}
	return value
}

// secret reads a setting that has no default and must be kept encrypted.
func (r *reader) secret(key, purpose, command string) Secret {
	value, ok := r.source.Value(key)
	if !ok || value == "" {
		r.fault(key, "", "is not set", "%s; set it with: %s", purpose, command)
		return ""
	}
	if !r.source.IsSecret(key) {
		r.fault(key, "[secret]", "stands in plain text in the stack's config", "encrypt it (and choose a new one, if the file was ever shared): %s", command)
	}
	return Secret(value)
}

func (r *reader) postgresPassword() Secret {
	const command = "pulumi config set --secret postgresPassword"
	password := r.secret(keyPostgresPassword, "PostgreSQL needs a password of your choice", command)
	if password == "" {
		return ""
	}
	plain := password.Reveal()
	length := utf8.RuneCountInString(plain)
	switch {
	case plain == walkThroughSecret:
		r.fault(keyPostgresPassword, "[secret]", "is the one printed in the walk-through", "choose your own: %s", command)
	case length < minPasswordLength || length > maxPasswordLength:
		r.fault(keyPostgresPassword, "[secret]", fmt.Sprintf("has %d characters", length),
			"use %d to %d: %s", minPasswordLength, maxPasswordLength, command)
	case !utf8.ValidString(plain) || strings.ContainsFunc(plain, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.fault(keyPostgresPassword, "[secret]", "has characters that cannot be printed, such as a line break", "use plain text: %s", command)
	}
	return password
}

func (r *reader) voterKey() Secret {
	const command = `pulumi config set --secret voterKey "$(openssl rand -base64 32)"`
	key := r.secret(keyVoterKey, "it signs the voters' cookies, so that nobody can make one up", command)
	if key == "" {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key.Reveal()))
	if err != nil || len(raw) < minVoterKeyBytes {
		r.fault(keyVoterKey, "[secret]", fmt.Sprintf("is not the base64 of at least %d bytes", minVoterKeyBytes), "make one: %s", command)
	} else if bytes.Count(raw, raw[:1]) == len(raw) {
		r.fault(keyVoterKey, "[secret]", "is one byte over and over", "make a random one: %s", command)
	}
	return Secret(strings.TrimSpace(key.Reveal()))
}
