// Package environment reads a program's settings from environment variables and reports all faults at once, each with the
// variable, its value and a remedy.
//
// Every variable may come from a file instead, as in the official images: NAME_FILE is the path of a file whose content,
// without one trailing line break, is the value of NAME. Both at once are a fault. So secrets need not be in the environment.
package environment

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Reader reads variables and keeps their faults; after the last variable, Err returns them.
type Reader struct {
	lookup func(string) string
	read   map[string]variable
	faults []error
}

// variable is what was read of one variable.
type variable struct {
	value  string // as it is; "" if the variable is not set
	faulty bool   // its value is unknown, and the fault is reported
}

// fileSuffix makes the name of the variable with the path from the name of the variable.
const fileSuffix = "_FILE"

// NewReader reads through lookup, usually os.Getenv. A variable that is empty counts as not set.
func NewReader(lookup func(string) string) *Reader {
	return &Reader{lookup: lookup, read: map[string]variable{}}
}

// Again is a new reader of the same variables, without the faults. It reads the files again.
func (r *Reader) Again() *Reader { return NewReader(r.lookup) }

// Live returns how to read a list again if its variable comes from a file, which may change; nil if it does not.
func (r *Reader) Live(key string, read func(*Reader) []string) func() ([]string, error) {
	if !r.FromFile(key) {
		return nil
	}
	return func() ([]string, error) {
		now := r.Again()
		return read(now), now.Err()
	}
}

// Err is every fault found so far, one per line, or nil.
func (r *Reader) Err() error { return errors.Join(r.faults...) }

// Fault adds a fault that the program found itself. It ignores nil.
func (r *Reader) Fault(err error) {
	if err != nil {
		r.faults = append(r.faults, err)
	}
}

func (r *Reader) faultf(format string, arguments ...any) {
	r.Fault(fmt.Errorf(format, arguments...))
}

// get reads a variable, once, from the environment or from its file.
func (r *Reader) get(key string) variable {
	v, known := r.read[key]
	if !known {
		v = r.getAnew(key)
		r.read[key] = v
	}
	return v
}

func (r *Reader) getAnew(key string) variable {
	value, path := r.lookup(key), r.lookup(key+fileSuffix)
	switch {
	case path == "":
		return variable{value: value}
	case value != "":
		r.faultf("%s and %s%s are both set: set one of them", key, key, fileSuffix)
		return variable{faulty: true}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.faultf("%s%s is %q, which cannot be read (%w): name a file that this program may read, or set %s", key, fileSuffix, path, reason(err), key)
		return variable{faulty: true}
	}
	value, windows := strings.CutSuffix(string(content), "\r\n")
	if !windows {
		value = strings.TrimSuffix(value, "\n")
	}
	if value == "" {
		r.faultf("%s%s is %q, which is empty: write the value into that file", key, fileSuffix, path)
		return variable{faulty: true}
	}
	return variable{value: value}
}

// reason is a file's error without the path.
func reason(err error) error {
	if fault, ok := errors.AsType[*os.PathError](err); ok {
		return fault.Err
	}
	return err
}

// Text is the variable's value without surrounding space, or the standard one if it is not set.
func (r *Reader) Text(key, standard string) string {
	if value := strings.TrimSpace(r.get(key).value); value != "" {
		return value
	}
	return standard
}

// Set reports whether the variable is set, by itself or by its file.
func (r *Reader) Set(key string) bool { return r.get(key).faulty || r.Text(key, "") != "" }

// FromFile reports whether the variable comes from a file.
func (r *Reader) FromFile(key string) bool { return r.lookup(key+fileSuffix) != "" }

// required is the variable's value without surrounding space. Unset it is a fault with this remedy.
func (r *Reader) required(key, remedy string) string {
	if !r.Set(key) {
		r.faultf("%s is not set: %s", key, remedy)
	}
	return r.Text(key, "")
}

// Secret is the variable's value as it is. It must be set; purpose says for what. No message shows it.
func (r *Reader) Secret(key, purpose string) string {
	v := r.get(key)
	if v.value == "" && !v.faulty {
		r.faultf("%s is not set: set it to %s, or %s%s to a file with it", key, purpose, key, fileSuffix)
	}
	return v.value
}

// OptionalSecret is the variable's value as it is, or "" if it is not set. No message shows it.
func (r *Reader) OptionalSecret(key string) string { return r.get(key).value }

// Key is the variable's value decoded from standard base64. It must be set and have at least least bytes; purpose says for
// what it is. No message shows it.
func (r *Reader) Key(key, purpose string, least int) []byte {
	remedy := fmt.Sprintf("make one with `openssl rand -base64 %d`", least)
	text := r.required(key, fmt.Sprintf("it is %s; %s", purpose, remedy))
	if text == "" {
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

// Auto is the number of a container that has none, because several are started with the same variables.
const Auto = "auto"

// Member is the name of one of several containers of a kind: the kind and the number that the variable has, such as
// worker01. A number has at least two digits and is not zero. If the variable is Auto, the name of the host takes the
// number's place, such as worker-3b1f6a0c9d2e; in a container that is the container's own. The variable must be set; meaning
// says whose number it is.
func (r *Reader) Member(kind, key, meaning string) string {
	value := r.required(key, fmt.Sprintf("set it to the number of %s, for instance 01", meaning))
	switch value {
	case "":
		return ""
	case Auto:
		host, err := os.Hostname()
		if err != nil {
			r.faultf("%s is %q, but this host does not tell its name (%w): set %s to a number, for instance 01", key, Auto, err, key)
		}
		return kind + "-" + host
	}
	if strings.Trim(value, "0123456789") != "" || len(value) < 2 || len(value) > 6 || strings.Trim(value, "0") == "" {
		r.faultf("%s is %.40q: write a number from 1 up with two digits or more, for instance 01", key, value)
	}
	return kind + value
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

// Hosts are names or addresses of machines, each once and without a port, with spaces, commas or line breaks between them.
func (r *Reader) Hosts(key, standard string) []string {
	var hosts []string
	for _, host := range fields(r.Text(key, standard)) {
		if net.ParseIP(host) == nil && (len(host) > 253 || strings.ContainsAny(host, ":/@[]\"'")) {
			r.faultf("%s has %.80q: write the host alone, without a port or scheme, for instance %s", key, host, standard)
		}
		if slices.Contains(hosts, host) {
			r.faultf("%s has %.80q twice: name each host once", key, host)
		}
		hosts = append(hosts, host)
	}
	if len(hosts) == 0 {
		r.faultf("%s is %.80q: write a host, for instance %s", key, r.Text(key, standard), standard)
	}
	return hosts
}

// Listen is an address to listen on: an optional host, a colon, a port.
func (r *Reader) Listen(key, standard string) string {
	value := r.Text(key, standard)
	if _, ok := splitAddress(value); !ok {
		r.faultf("%s is %.80q: write host:port or :port, with a port from 1 to 65535, for instance %s", key, value, standard)
	}
	return value
}

// Address is one host:port pair. The variable must be set; meaning says whose address it is.
func (r *Reader) Address(key, meaning string) string {
	value := r.required(key, fmt.Sprintf("set it to the address of %s, for instance %s", meaning, exampleAddress))
	if value != "" {
		r.checkAddress(key+" is", value)
	}
	return value
}

// Addresses are host:port pairs, each once, with spaces, commas or line breaks between them. The variable must be set;
// meaning says whose addresses they are.
func (r *Reader) Addresses(key, meaning string) []string {
	value := r.required(key, fmt.Sprintf("set it to the addresses of %s, for instance %q", meaning, exampleAddresses))
	return r.AddressList(key, value)
}

// AddressList reads addresses that do not come from a variable; name says from where, for the faults.
func (r *Reader) AddressList(name, text string) []string {
	var addresses []string
	for _, address := range fields(text) {
		r.checkAddress(name+" has", address)
		if slices.Contains(addresses, address) {
			r.faultf("%s has %.80q twice: name each address once", name, address)
		}
		addresses = append(addresses, address)
	}
	if len(addresses) == 0 && text != "" {
		r.faultf("%s has no address in %.80q: write for instance %q", name, text, exampleAddresses)
	}
	return addresses
}

// Names is the list of host names in a variable, in lower case; empty if it is not set.
func (r *Reader) Names(key string) []string {
	var names []string
	for _, text := range fields(r.Text(key, "")) {
		if strings.ContainsAny(text, "/:@") {
			r.faultf("%s has %.80q: write host names alone, for instance %q", key, text, "vote.example.org")
		}
		names = append(names, strings.TrimSuffix(strings.ToLower(text), "."))
	}
	return names
}

// Networks are address ranges, or addresses, with spaces, commas or line breaks between them. None if the variable is not set.
func (r *Reader) Networks(key string) []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range fields(r.Text(key, "")) {
		network, err := netip.ParsePrefix(text)
		if address, addressErr := netip.ParseAddr(text); addressErr == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			r.faultf("%s has %.80q: write address ranges or addresses, for instance %q", key, text, "10.0.0.0/8 192.0.2.7")
		}
		networks = append(networks, network.Masked())
	}
	return networks
}

// fields are the parts of a list, with spaces, commas or line breaks between them.
func fields(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
}

const (
	exampleAddress   = "redis01:6379"
	exampleAddresses = "redis01:6379 redis02:6379"
)

func (r *Reader) checkAddress(where, value string) {
	if host, ok := splitAddress(value); !ok || host == "" {
		r.faultf("%s %.80q: write host:port with a port from 1 to 65535, for instance %s", where, value, exampleAddress)
	}
}

// splitAddress returns the host of an address, and whether it is one: a host that may be empty, a colon and a port.
func splitAddress(address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.Atoi(port)
	return host, err == nil && portErr == nil && number >= 1 && number <= 65535
}
