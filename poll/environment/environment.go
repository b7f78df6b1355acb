// Package environment reads a program's settings from environment variables and reports all faults at once, each with the
// variable, its value and what would be right.
package environment

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Reader reads variables and remembers what is wrong with them; after the last one, Err tells.
type Reader struct {
	lookup func(string) string
	faults []error
}

// NewReader reads through lookup, usually os.Getenv. A variable that is empty counts as not set.
func NewReader(lookup func(string) string) *Reader { return &Reader{lookup: lookup} }

// Err is every fault found so far, one per line, or nil.
func (r *Reader) Err() error { return errors.Join(r.faults...) }

// Fault adds a fault that the program found itself.
func (r *Reader) Fault(err error) {
	if err != nil {
		r.faults = append(r.faults, err)
	}
}

func (r *Reader) faultf(format string, arguments ...any) {
	r.Fault(fmt.Errorf(format, arguments...))
}

// Text is the variable's value, or the standard one if it is not set.
func (r *Reader) Text(key, standard string) string {
	if value := strings.TrimSpace(r.lookup(key)); value != "" {
		return value
	}
	return standard
}

// Set reports whether the variable has a value.
func (r *Reader) Set(key string) bool { return strings.TrimSpace(r.lookup(key)) != "" }

// Secret is the variable's value, which must be set; purpose says for what. No message shows it.
func (r *Reader) Secret(key, purpose string) string {
	value := r.lookup(key)
	if value == "" {
		r.faultf("%s is not set: set it to %s", key, purpose)
	}
	return value
}

// Key is the variable's value decoded from standard base64: at least so many bytes. No message shows it.
func (r *Reader) Key(key, purpose string, least int) []byte {
	text := strings.TrimSpace(r.lookup(key))
	remedy := fmt.Sprintf("make one with `openssl rand -base64 %d`", least)
	if text == "" {
		r.faultf("%s is not set: it is %s; %s", key, purpose, remedy)
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.faultf("%s (not shown, %d characters) is not base64: %s", key, len(text), remedy)
		return nil
	}
	if len(decoded) < least {
		r.faultf("%s (not shown) has %d bytes, want at least %d: %s", key, len(decoded), least, remedy)
		return nil
	}
	return decoded
}

// Ordinal is a number as node names have it, such as "01": at least two digits and not zero. It must be set; meaning says
// whose number it is.
func (r *Reader) Ordinal(key, meaning string) string {
	value := r.Text(key, "")
	if value == "" {
		r.faultf("%s is not set: set it to the number of %s, for instance 01", key, meaning)
		return ""
	}
	if err := checkOrdinal(value); err != nil {
		r.faultf("%s is %.40q: %w", key, value, err)
		return ""
	}
	return value
}

// Auto stands for a number that a container does not have, because it is started in numbers, all with the same variables.
const Auto = "auto"

// Member is the name of one of several of a kind: the kind with its number, such as worker01; or, if the variable is Auto,
// with the name of its host, which in a container is the container's own, such as worker-3b1f6a0c9d2e. The number is then "".
func (r *Reader) Member(kind, key, meaning string) (name, number string) {
	if r.Text(key, "") != Auto {
		number = r.Ordinal(key, meaning)
		return kind + number, number
	}
	host, err := os.Hostname()
	if err != nil {
		r.faultf("%s is %q, but this host does not tell its name (%w): set %s to a number, for instance 01", key, Auto, err, key)
	}
	return kind + "-" + host, ""
}

func checkOrdinal(value string) error {
	digits := strings.Trim(value, "0123456789") == ""
	if !digits || len(value) < 2 || len(value) > 6 || strings.Trim(value, "0") == "" {
		return errors.New("write a number from 1 up with two digits or more, for instance 01")
	}
	return nil
}

// Number is a whole number from least to most, or the standard one if the variable is not set.
func (r *Reader) Number(key string, standard, least, most int) int {
	value := r.Text(key, strconv.Itoa(standard))
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		r.faultf("%s is %.40q: write a whole number from %d to %d", key, value, least, most)
		return standard
	}
	return number
}

// Host is the name or address of a machine, without a port.
func (r *Reader) Host(key, standard string) string {
	value := r.Text(key, standard)
	if net.ParseIP(value) == nil && (len(value) > 253 || strings.ContainsAny(value, " \t:/@[]\"'")) {
		r.faultf("%s is %.80q: write the host alone, without a port or scheme, for instance %s", key, value, standard)
	}
	return value
}

// Listen is an address to listen on: an optional host, a colon, a port.
func (r *Reader) Listen(key, standard string) string {
	value := r.Text(key, standard)
	r.checkAddress(key, value, standard, false)
	return value
}

// Addresses are host:port pairs, separated by commas; the standard ones if the variable is not set.
func (r *Reader) Addresses(key string, standard ...string) []string {
	if !r.Set(key) {
		return standard
	}
	var addresses []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(r.Text(key, ""), ",") {
		address := strings.TrimSpace(part)
		r.checkAddress(key, address, "redis01:6379", true)
		if seen[address] {
			r.faultf("%s names %.80q twice: name each once", key, address)
		}
		seen[address] = true
		addresses = append(addresses, address)
	}
	return addresses
}

// Address is one host:port pair; the standard one if the variable is not set.
func (r *Reader) Address(key, standard string) string {
	value := r.Text(key, standard)
	if r.Set(key) {
		r.checkAddress(key, value, "redis01:6379", true)
	}
	return value
}

func (r *Reader) checkAddress(key, value, example string, needHost bool) {
	host, port, err := net.SplitHostPort(value)
	number, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || number < 1 || number > 65535 || needHost && host == "" {
		r.faultf("%s is %.80q: write host:port with a port from 1 to 65535, for instance %s", key, value, example)
	}
}
