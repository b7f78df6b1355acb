// Package wayin writes the configuration of HAProxy, the way in to the vote page. It is pure. The cluster and compose.yaml have
// the same configuration, apart from how HAProxy finds the frontends.
package wayin

import (
	_ "embed"
	"fmt"
	"net/netip"
	"strings"
	"text/template"

	"swarm-scale/poll/http"
)

//go:embed haproxy.cfg.tmpl
var configurationTemplate string

// Options is what configurations differ in.
type Options struct {
	Listen     string // where voters come in: ":80", "127.0.0.1:8080"
	Frontends  []Frontend
	Discovery  *Discovery     // finds more frontends; nil: none
	ReadyPath  string         // answers 200 while a frontend is ready, else 503, for what stands in front; empty: there is no such page
	Statistics *Statistics    // nil: no statistics page
	Names      []string       // host names of the poll; empty: any name. Addresses are always accepted
	Results    *Results       // nil: the results page is not behind this way in
	Proxies    []netip.Prefix // trusted to say in X-Forwarded-For whom a request comes from
	Limits
	LogAddresses bool // the log has the voters' addresses
}

// Limits bound what one address may do: an IPv4 address, or the /64 of an IPv6 address.
type Limits struct {
	ConnectionsPerAddress int // open at once
	VotesPerAddress       int // in a minute
	NewVotersPerAddress   int // in a minute
}

// Frontend is a web container.
type Frontend struct {
	Name    string
	Address string // host:port
}

// Results are the results pages. They are all alike. A viewer whose page is away goes on with another one.
type Results struct {
	Names []string   // host names of the results page
	Pages []Frontend // where it is served
}

// Discovery finds frontends by a name that has an address for each of them.
type Discovery struct {
	NameServer string // host:port
	Address    string // host:port; the host is the name
	Most       int    // how many frontends there may be
}

// Statistics is HAProxy's page about itself.
type Statistics struct {
	Path, User, Password string
}

// Configuration returns haproxy.cfg.
func Configuration(o Options) (string, error) {
	if o.ConnectionsPerAddress < 1 || o.VotesPerAddress < 1 || o.NewVotersPerAddress < 1 {
		return "", fmt.Errorf("the load balancer's limits %+v let nobody in: each has to be 1 or more", o.Limits)
	}
	pages, err := errorPages(voteSentences(), "The vote", "To the ballot")
	if err != nil {
		return "", fmt.Errorf("the load balancer's pages: %w", err)
	}
	resultsPages, err := errorPages(resultsSentences(), "The results", "Again")
	if err != nil {
		return "", fmt.Errorf("the load balancer's pages of the results: %w", err)
	}
	parsed, err := template.New("haproxy.cfg").Funcs(template.FuncMap{"quote": quote}).Parse(configurationTemplate)
	if err != nil {
		return "", fmt.Errorf("the load balancer's configuration: %w", err)
	}
	var text strings.Builder
	err = parsed.Execute(&text, struct {
		Options
		ErrorPages      []errorPage
		ResultsPages    []errorPage // of the results
		SecurityHeaders []http.Header
		StrictTransport string
		NewVoterHeader  string
	}{o, pages, resultsPages, http.SecurityHeaders(), http.StrictTransport, http.NewVoterHeader})
	return text.String(), err
}

// quote quotes a text for HAProxy's configuration. Within single quotes no character is special, so a single quote is outside of
// them.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// errorPage is what HAProxy answers with a status.
type errorPage struct {
	Status     int
	RetryAfter int // in seconds; 0: none
	Policy     string
	Body       string // one line
}

// What the pages say of a vote.
const (
	notCounted = "If you have just voted, that vote was not counted."
	// HAProxy answers so when a frontend has, or may have, the vote.
	perhapsCounted = "If you have just voted, that vote may be counted or not. Please choose again: you still count only once."
)

// sentence is what an error page says.
type sentence struct {
	status, retryAfter int
	heading, text      string
}

// voteSentences returns one for every status that HAProxy answers voters with by itself (its documentation on http-error). 502, 503
// and 504 can come after a frontend has taken the vote: HAProxy sends the request to another frontend if one dies with it.
//
// No configuration reaches two answers of a line: 400 to what is no HTTP request, and 408 to a request whose head does not arrive.
func voteSentences() []sentence {
	return []sentence{
		{400, 0, "That could not be read", "What your browser sent could not be read. " + notCounted},
		{401, 0, "For operators", "This page needs the password of those who run the poll."},
		{403, 0, "That does not work here", "This cannot be asked for here. " + notCounted},
		{404, 0, "Nothing here", "There is no page at this address."},
		{405, 0, "That does not work here", "This page cannot be asked for in this way. " + notCounted},
		{408, 0, "That took too long", "What your browser sent did not arrive in time. " + notCounted},
		{410, 0, "Nothing here", "There is no page at this address any more."},
		{413, 0, "That was too much", "Far more arrived than a vote. " + notCounted},
		{421, 0, "Not at this name", "There is no poll under the name that your browser asked for."},
		{422, 0, "That could not be read", "What your browser sent could not be understood. " + notCounted},
		{425, 1, "Once more, please", "What your browser sent came too early. " + notCounted},
		{429, 30, "One moment, please", "Very many voters share your connection to the Internet at this moment. " + notCounted +
			" Please try again in half a minute."},
		{500, 10, "One moment, please", "Something went wrong here. " + perhapsCounted},
		{501, 0, "That does not work here", "This cannot be asked for here. " + notCounted},
		{502, 10, "One moment, please", "The poll broke off before it had answered. " + perhapsCounted},
		{503, 10, "One moment, please", "The poll cannot take votes right now. " + perhapsCounted},
		{504, 10, "One moment, please", "The poll did not answer in time. " + perhapsCounted},
	}
}

// resultsSentences returns one for every status that HAProxy answers viewers with when no results page answers.
func resultsSentences() []sentence {
	const counted = "Votes are counted meanwhile. Please try again in a moment."
	return []sentence{
		{502, 5, "One moment, please", "The results broke off. " + counted},
		{503, 5, "One moment, please", "The results cannot be shown right now. " + counted},
		{504, 5, "One moment, please", "The results did not come in time. " + counted},
	}
}

// errorPages makes the pages.
func errorPages(sentences []sentence, kicker, homeLabel string) ([]errorPage, error) {
	var pages []errorPage
	for _, sentence := range sentences {
		page, err := http.NewStaticPage(kicker, sentence.heading, sentence.text, homeLabel)
		if err != nil {
			return nil, err
		}
		pages = append(pages, errorPage{Status: sentence.status, RetryAfter: sentence.retryAfter, Policy: page.Policy, Body: page.Body})
	}
	return pages, nil
}
