// Package databaseurl reads the URL of a PostgreSQL that somebody else keeps, and the certificates by which it is recognised. The settings of
// a stack and the programs read both by it. What it accepts in one place, it accepts in the other.
package databaseurl

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Example is how a URL is written.
const Example = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"

// defaultPort is the port of a host that names none.
const defaultPort = "5432"

// Database is where a database is, and who logs in.
type Database struct {
	Servers        []string // host:port, in the URL's order
	User, Password string
	Name           string // of the database
}

// Kind is the sort of a fault.
type Kind string

// The kinds of faults.
const (
	Missing   Kind = "missing"   // a part of it is absent
	Malformed Kind = "malformed" // it has the wrong form
	Insecure  Kind = "insecure"  // somebody else could answer in the database's place
)

// Fault is one thing that is wrong with a URL or with certificates. It shows nothing of them but words that PostgreSQL's documentation has:
// after a mistake, the password may be in any other part. Whoever read the text adds the name of the setting.
type Fault struct {
	Kind    Kind
	Problem string // "names no database"
	Remedy  string // "write it as …"
}

// Error is one line: problem, remedy.
func (f Fault) Error() string { return f.Problem + ": " + f.Remedy }

// Faults is everything that is wrong with a text.
type Faults []Fault

// Error is one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// add adds a fault.
func (f *Faults) add(kind Kind, problem, remedy string) {
	*f = append(*f, Fault{kind, problem, remedy})
}

// hostPattern matches a name for a resolver. A last label of digits alone belongs to an IPv4 address.
var hostPattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_-]{0,62}\.)*([A-Za-z_]|[0-9]+[A-Za-z_-])[A-Za-z0-9_-]{0,62}$`)

const (
	writeAs = "write it as " + Example
	encode  = "encode what is special in user and password: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a space as %20"
)

// Parse reads a URL. The servers' certificates are always verified, as by sslmode=verify-full. An error is a Faults with every fault.
func Parse(text string) (Database, error) {
	var faults Faults
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		faults.add(Malformed, "is not a URL of PostgreSQL", writeAs)
		return Database{}, faults
	}
	if strings.ContainsFunc(rest, func(c rune) bool { return c == '#' || unicode.IsSpace(c) || unicode.IsControl(c) }) {
		faults.add(Malformed, "has a character that no URL of a database has, such as # or a space", encode)
		return Database{}, faults
	}
	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	path, query, _ := strings.Cut(tail, "?")

	var database Database
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at < 0 {
		faults.add(Missing, "has no user and no password", writeAs+", and "+encode)
	} else {
		hosts = authority[at+1:]
		database.User, database.Password = faults.login(authority[:at])
	}
	database.Servers = faults.servers(hosts)
	switch name := strings.TrimPrefix(path, "/"); {
	case name == "":
		faults.add(Missing, "names no database", writeAs)
	case strings.Contains(name, "/"):
		faults.add(Malformed, "has a / in the name of the database", "write it as %2F, and "+encode)
	default:
		database.Name = faults.decoded("the name of the database", name)
	}
	faults.parameters(query)
	if len(faults) > 0 {
		return Database{}, faults
	}
	return database, nil
}

// login reads USER:PASSWORD.
func (f *Faults) login(text string) (user, password string) {
	if strings.Contains(text, "@") {
		f.add(Malformed, "has more than one @", encode)
		return "", ""
	}
	user, password, _ = strings.Cut(text, ":")
	for _, part := range []struct{ name, text string }{{"user", user}, {"password", password}} {
		if part.text == "" {
			f.add(Missing, "has no "+part.name, writeAs)
		}
	}
	return f.decoded("the user", user), f.decoded("the password", password)
}

// decoded returns a part of the URL as it is meant.
func (f *Faults) decoded(what, text string) string {
	plain, err := url.PathUnescape(text)
	switch {
	case err != nil:
		f.add(Malformed, "has a % in "+what+" that begins no code", encode)
	case !utf8.ValidString(plain) || strings.ContainsFunc(plain, unicode.IsControl):
		f.add(Malformed, "has characters in "+what+" that cannot be printed, such as a line break", "use printable characters")
	}
	return plain
}

// servers reads HOST:PORT,HOST:PORT.
func (f *Faults) servers(text string) []string {
	var servers []string
	for one := range strings.SplitSeq(text, ",") {
		host, port, ok := splitHost(one)
		number, err := strconv.ParseUint(port, 10, 16)
		switch {
		case host == "":
			f.add(Missing, "names no host", writeAs+", several hosts with commas between them")
		case !ok:
			f.add(Malformed, "has a host that is neither an address nor a host name", writeAs+", an IPv6 address in brackets, and "+encode)
		case err != nil || number == 0:
			f.add(Malformed, "has a port that is none", "write a port from 1 to 65535, or leave it out for "+defaultPort+", and "+encode)
		default:
			server := net.JoinHostPort(strings.ToLower(host), port)
			if slices.Contains(servers, server) {
				f.add(Malformed, "names a host twice", "leave it out once")
			}
			servers = append(servers, server)
		}
	}
	return servers
}

// splitHost reads HOST:PORT, HOST, [IPV6]:PORT or [IPV6]. ok is false if there is no such host.
func splitHost(text string) (host, port string, ok bool) {
	host, port, hasPort := strings.Cut(text, ":")
	if inside, bracketed := strings.CutPrefix(text, "["); bracketed {
		var after string
		host, after, _ = strings.Cut(inside, "]")
		port, hasPort = strings.CutPrefix(after, ":")
		if !hasPort && after != "" {
			return host, "", false
		}
		address, err := netip.ParseAddr(host)
		ok = err == nil && address.Is6()
	} else {
		address, err := netip.ParseAddr(host)
		ok = err == nil && address.Is4() || hostPattern.MatchString(host)
	}
	if !hasPort {
		port = defaultPort
	}
	return host, port, ok
}

var (
	// sslModes are those of libpq.
	sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
	// parameters are those of libpq (PostgreSQL's documentation, "Parameter Key Words").
	parameters = []string{
		"host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding", "connect_timeout", "client_encoding",
		"options", "application_name", "fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "replication", "gssencmode", "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslpassword", "sslcertmode",
		"sslrootcert", "sslcrl", "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname",
		"gsslib", "gssdelegation", "service", "target_session_attrs", "load_balance_hosts",
	}
)

// parameters reads what follows the question mark. Those that say what the programs do anyway may be there.
func (f *Faults) parameters(query string) {
	if query == "" {
		return
	}
	for one := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(one, "=")
		switch {
		case one == "sslmode=verify-full" || one == "target_session_attrs=read-write":
		case key == "sslmode" && slices.Contains(sslModes, value):
			f.add(Insecure, "has sslmode="+value+", with which somebody else may answer in the database's place", "write sslmode=verify-full, or leave it out, which means the same")
		case key == "sslmode":
			f.add(Malformed, "has an sslmode that is none", "write sslmode=verify-full, or leave it out, which means the same")
		case key == "sslrootcert":
			f.add(Malformed, "has the parameter sslrootcert, a file that the programs do not have", "leave it out: the certificates themselves are a setting of their own")
		case slices.Contains(parameters, key):
			f.add(Malformed, "has the parameter "+key+", which is not for a URL here", "leave it out, but for sslmode=verify-full and target_session_attrs=read-write, which say what is done anyway")
		default:
			f.add(Malformed, "has a parameter that PostgreSQL does not know", "leave it out, and "+encode)
		}
	}
}

// Authorities reads certificates of authorities, one PEM block after another. An error is a Faults with one fault.
func Authorities(text string) (*x509.CertPool, error) {
	const remedy = "give the PEM of the authorities that sign the database's certificate, from -----BEGIN CERTIFICATE----- on"
	pool, count := x509.NewCertPool(), 0
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return nil, Faults{{Insecure, "has a private key in it", remedy + ", and make a new key if somebody else has seen this one"}}
		case block.Type != "CERTIFICATE":
			return nil, Faults{{Malformed, "has something else than certificates in it", remedy}}
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, Faults{{Malformed, fmt.Sprintf("has a certificate, number %d, that cannot be read", count+1), remedy}}
		}
		pool.AddCert(certificate)
		count++
	}
	if count == 0 {
		return nil, Faults{{Missing, "has no certificate in it", remedy}}
	}
	return pool, nil
}
