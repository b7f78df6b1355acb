package environment

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"swarm-scale/poll"
	"swarm-scale/poll/databaseurl"
)

// Ballot reads OPTION_A and OPTION_B, the labels of the two options: Cats and Dogs if not set.
func Ballot(r *Reader) poll.Ballot {
	ballot, err := poll.NewBallot(r.Text("OPTION_A", "Cats"), r.Text("OPTION_B", "Dogs"))
	faults, _ := errors.AsType[poll.LabelFaults](err)
	for _, fault := range faults {
		r.faultf("OPTION_%s is %.80q, which %s: %s", strings.ToUpper(fault.Option.String()), fault.Label, fault.Problem, fault.Remedy)
	}
	return ballot
}

// CopiesKey is the variable of in how many queues each vote is.
const CopiesKey = "VOTE_COPIES"

// Copies reads in how many queues each vote is: 1 or 2, and 1 if the variable is not set.
func Copies(r *Reader) int { return r.Number(CopiesKey, 1, 1, 2) }

// Database is where the votes are stored.
type Database struct {
	// Servers are host:port pairs: each host of POSTGRES_HOST (pg if not set; several with spaces, commas or line breaks between them) with
	// POSTGRES_PORT (5432 if not set). Of several, the one that takes writes is used.
	Servers  []string
	User     string // POSTGRES_USER: the program's own role if not set
	Database string // POSTGRES_DATABASE: postgres if not set
	Password string // POSTGRES_PASSWORD: required, the user's
	// TLS is true if POSTGRES_URL says all of it: the URL of a database that somebody else keeps. It is then called by TLS, and its
	// certificate is verified.
	TLS         bool
	Authorities string // POSTGRES_CA: who signs the certificate of the database of POSTGRES_URL, in PEM; the system's authorities if not set
}

// Roles of the database.
const (
	WorkerRole  = "vote_worker" // owns what the poll keeps, and writes it
	ResultsRole = "results_app" // reads the tally
)

// The variables of a database that somebody else keeps.
const (
	urlKey = "POSTGRES_URL"
	caKey  = "POSTGRES_CA"
)

// ReadDatabase reads the POSTGRES_ variables of a program that has this role.
func ReadDatabase(r *Reader, role string) Database {
	if r.Set(urlKey) {
		return readURL(r)
	}
	if r.Set(caKey) {
		r.faultf("%s is set without %s: leave it out, because a database without a URL is not called by TLS", caKey, urlKey)
	}
	user := r.Text("POSTGRES_USER", role)
	port := strconv.Itoa(r.Number("POSTGRES_PORT", 5432, 1, 65535))
	var servers []string
	for _, host := range r.Hosts("POSTGRES_HOST", "pg") {
		servers = append(servers, net.JoinHostPort(host, port))
	}
	return Database{
		Servers:  servers,
		User:     user,
		Database: r.Text("POSTGRES_DATABASE", "postgres"),
		Password: r.Secret("POSTGRES_PASSWORD", "the password of the database's user "+user),
	}
}

// readURL reads POSTGRES_URL and POSTGRES_CA. Their faults do not show them.
func readURL(r *Reader) Database {
	for _, key := range []string{"POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_DATABASE", "POSTGRES_PASSWORD"} {
		if r.Set(key) {
			r.faultf("%s and %s are both set: leave %s out, because the URL says it", urlKey, key, key)
		}
	}
	read := Database{TLS: true, Authorities: r.Text(caKey, "")}
	if read.Authorities != "" {
		_, err := databaseurl.Authorities(read.Authorities)
		r.faultsOf(caKey, err)
	}
	if url := r.Text(urlKey, ""); url != "" { // otherwise it cannot be read, which is reported
		database, err := databaseurl.Parse(url)
		r.faultsOf(urlKey, err)
		read.Servers, read.User, read.Database, read.Password = database.Servers, database.User, database.Name, database.Password
	}
	return read
}

// faultsOf adds what is wrong with a variable that is not shown.
func (r *Reader) faultsOf(key string, err error) {
	faults, _ := errors.AsType[databaseurl.Faults](err)
	for _, fault := range faults {
		r.faultf("%s (not shown) %s: %s", key, fault.Problem, fault.Remedy)
	}
}

// CheckListeners reports when the pages and the metrics would listen on the same address.
func CheckListeners(r *Reader, listen, metrics string) {
	if listen == metrics {
		r.faultf("LISTEN_ADDRESS and METRICS_ADDRESS are both %q: give METRICS_ADDRESS another port, for instance :9090", listen)
	}
}
