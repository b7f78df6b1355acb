package wayin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	pollhttp "swarm-scale/poll/http"
	"swarm-scale/test/eventually"
	"swarm-scale/test/haproxytest"
)

// site is a HAProxy before one frontend that counts.
type site struct {
	*haproxytest.Balancer
	frontend         *httptest.Server
	votes, newVoters atomic.Int64
	seen             atomic.Pointer[http.Header] // of the latest request
}

// newSite starts both. The frontend takes a browser without a cookie for a new voter, as the vote page does.
func newSite(t *testing.T, options wayin.Options) *site {
	t.Helper()
	s := &site{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			header := r.Header.Clone()
			s.seen.Store(&header)
		}
		_, noCookie := r.Cookie("voter")
		switch {
		case r.URL.Path == "/readyz":
		case noCookie != nil:
			s.newVoters.Add(1)
			w.Header().Set(pollhttp.NewVoterHeader, "1")
			w.Header().Set("Set-Cookie", "voter=new")
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusConflict)
			}
		case r.Method == http.MethodPost:
			s.votes.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	s.frontend = server
	options.Frontends = []wayin.Frontend{haproxytest.Frontend("frontend01", server.URL)}
	s.Balancer = haproxytest.Start(t, options)
	s.AwaitFrontends(t, 1)
	return s
}

// ask sends a request from an address of this machine on a connection of its own. The changes are made to the request.
func (s *site) ask(t *testing.T, from, method string, changes ...func(*http.Request)) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Body, request.ContentLength = io.NopCloser(strings.NewReader("vote=a")), 6
	}
	for _, change := range changes {
		change(request)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(ctx, network, address)
	}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return response
}

func withCookie(r *http.Request) { r.Header.Set("Cookie", "voter=known") }

func forwardedFor(addresses string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-Forwarded-For", addresses) }
}

// wantRefusal checks the page for one who does too much.
func wantRefusal(t *testing.T, response *http.Response) {
	t.Helper()
	body, _ := io.ReadAll(response.Body) // it is in memory
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "30" || response.Header.Get("Set-Cookie") != "" ||
		response.Header.Get(pollhttp.NewVoterHeader) != "" || !strings.Contains(string(body), "was not counted") {
		t.Errorf("answered with %s, %v:\n%s", response.Status, response.Header, body)
	}
}

// TestVotesOfOneAddressAreBounded holds that an address has so many votes and no more, that others have theirs, and that the
// statistics count the refusals.
func TestVotesOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	const most = 5
	s := newSite(t, wayin.Options{Limits: wayin.Limits{ConnectionsPerAddress: 100, VotesPerAddress: most, NewVotersPerAddress: 100}})
	for range most {
		if response := s.ask(t, "127.0.0.2", http.MethodPost, withCookie); response.StatusCode != http.StatusOK {
			t.Errorf("a vote is answered with %s", response.Status)
		}
	}
	for range 3 {
		wantRefusal(t, s.ask(t, "127.0.0.2", http.MethodPost, withCookie, forwardedFor("192.0.2.1")))
	}
	if response := s.ask(t, "127.0.0.2", http.MethodGet, withCookie); response.StatusCode != http.StatusOK {
		t.Errorf("the page is answered with %s", response.Status)
	}
	if response := s.ask(t, "127.0.0.3", http.MethodPost, withCookie); response.StatusCode != http.StatusOK {
		t.Errorf("a vote of another address is answered with %s", response.Status)
	}
	if got := s.votes.Load(); got != most+1 {
		t.Errorf("%d votes reached the frontend, want %d", got, most+1)
	}
	if row, err := s.Row("vote", "FRONTEND"); err != nil || row["dreq"] != "3" {
		t.Errorf("the statistics count %s refused votes, want 3 (%v)", row["dreq"], err)
	}
}

// TestNewVotersOfOneAddressAreBounded holds that an address becomes so many voters and no more, by opening the page or by voting
// without a cookie. Those who are voters already go on voting.
func TestNewVotersOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	const most = 4
	s := newSite(t, wayin.Options{Limits: wayin.Limits{ConnectionsPerAddress: 100, VotesPerAddress: 100, NewVotersPerAddress: most}})
	for i, method := range []string{http.MethodGet, http.MethodPost, http.MethodGet, http.MethodPost} {
		response := s.ask(t, "127.0.0.2", method)
		if response.Header.Get("Set-Cookie") == "" || response.StatusCode == http.StatusTooManyRequests {
			t.Errorf("new voter %d is answered with %s", i+1, response.Status)
		}
		if response.Header.Get(pollhttp.NewVoterHeader) != "" {
			t.Error("the frontend's mark is passed on")
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		wantRefusal(t, s.ask(t, "127.0.0.2", method))
	}
	if response := s.ask(t, "127.0.0.2", http.MethodPost, withCookie); response.StatusCode != http.StatusOK {
		t.Errorf("the vote of one who is a voter is answered with %s", response.Status)
	}
	if response := s.ask(t, "127.0.0.3", http.MethodGet); response.Header.Get("Set-Cookie") == "" {
		t.Errorf("a new voter of another address is answered with %s", response.Status)
	}
	row, err := s.Row("vote", "FRONTEND")
	if err != nil || row["dresp"] != "2" {
		t.Errorf("the statistics count %s refused new voters, want 2 (%v)", row["dresp"], err)
	}
}

// TestAddressesBehindTrustedProxies holds whose votes are counted together when a proxy is in front, and that only a trusted one
// is believed.
func TestAddressesBehindTrustedProxies(t *testing.T) {
	t.Parallel()
	s := newSite(t, wayin.Options{
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.8/32"), netip.MustParsePrefix("10.0.0.0/8")},
		Limits:  wayin.Limits{ConnectionsPerAddress: 1000, VotesPerAddress: 1, NewVotersPerAddress: 100},
	})
	for _, test := range []struct {
		name, one, other, from string
		same                   bool
	}{
		{"two voters", "192.0.2.1", "192.0.2.2", "127.0.0.8", false},
		{"one voter", "192.0.2.3", "192.0.2.3", "127.0.0.8", true},
		{"one voter writes the header", "203.0.113.1, 192.0.2.4", "203.0.113.2, 192.0.2.4", "127.0.0.8", true},
		{"one voter behind two proxies", "192.0.2.5, 10.0.0.1", "192.0.2.5, 10.0.0.2", "127.0.0.8", true},
		{"two voters behind two proxies", "192.0.2.6, 10.0.0.1", "192.0.2.7, 10.0.0.1", "127.0.0.8", false},
		{"one IPv6 customer", "2001:db8::1", "2001:db8::2:3:4:5", "127.0.0.8", true},
		{"two IPv6 customers", "2001:db8:0:1::1", "2001:db8:0:2::1", "127.0.0.8", false},
		{"two voters with ports", "192.0.2.11:5555", "192.0.2.12:5555", "127.0.0.8", false},
		{"one voter with two ports", "192.0.2.13:5555", "192.0.2.13:5556", "127.0.0.8", true},
		{"two IPv6 customers with ports", "[2001:db8:0:3::1]:443", "[2001:db8:0:4::1]:443", "127.0.0.8", false},
		{"one IPv6 customer with two ports", "[2001:db8:0:5::1]:443", "[2001:db8:0:5::1]:444", "127.0.0.8", true},
		{"two IPv6 customers in brackets", "[2001:db8:0:6::1]", "[2001:db8:0:7::1]", "127.0.0.8", false},
		{"two IPv6 customers behind a proxy with a port", "[2001:db8:0:8::1]:1, 10.0.0.1:2", "[2001:db8:0:9::1]:1, 10.0.0.1:2", "127.0.0.8", false},
		{"one IPv6 customer in brackets and without", "[2001:db8:0:a::1]", "2001:db8:0:a::2", "127.0.0.8", true},
		{"not through the proxy", "192.0.2.8", "192.0.2.9", "127.0.0.9", true},
	} {
		first := s.ask(t, test.from, http.MethodPost, withCookie, forwardedFor(test.one)).StatusCode
		second := s.ask(t, test.from, http.MethodPost, withCookie, forwardedFor(test.other)).StatusCode
		if first != http.StatusOK || (second == http.StatusTooManyRequests) != test.same {
			t.Errorf("%s: the votes are answered with %d and %d", test.name, first, second)
		}
		if got := s.seen.Load().Values("X-Forwarded-For"); len(got) != 0 {
			t.Errorf("%s: the frontend is told %q", test.name, got)
		}
	}
}

// TestConnectionsOfOneAddressAreBounded holds that an address has so many connections and no more, until one is closed, and that a
// trusted proxy has any number.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	const most = 5
	s := newSite(t, wayin.Options{
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.8/32")},
		Limits:  wayin.Limits{ConnectionsPerAddress: most, VotesPerAddress: 100, NewVotersPerAddress: 100},
	})
	// hold returns nil if HAProxy closes the connection while it is opened.
	hold := func(from string) net.Conn {
		t.Helper()
		connection, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", s.Address)
		if errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { connection.Close() })
		return connection
	}
	// closed reports whether HAProxy has closed a connection. One that is held waits for a request, for ten seconds.
	closed := func(connection net.Conn) bool {
		t.Helper()
		if connection == nil {
			return true
		}
		if err := connection.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := connection.Read(make([]byte, 1))
		return !errors.Is(err, os.ErrDeadlineExceeded)
	}
	// HAProxy's threads take connections in any order, so any of them can be the one too many.
	var opened, held []net.Conn
	for range most + 2 {
		opened = append(opened, hold("127.0.0.2"))
	}
	for _, connection := range opened {
		if !closed(connection) {
			held = append(held, connection)
		}
	}
	if len(held) != most {
		t.Errorf("%d connections of one address are held, want %d", len(held), most)
	}
	if closed(hold("127.0.0.3")) {
		t.Error("a connection of another address is closed")
	}
	for range most + 1 {
		if closed(hold("127.0.0.8")) {
			t.Error("a connection of a trusted proxy is closed")
		}
	}
	held[0].Close()
	eventually.Succeeds(t, patience, "a closed connection makes room", func() error {
		if closed(hold("127.0.0.2")) {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	if row, err := s.Row("vote", "FRONTEND"); err != nil || row["dcon"] == "0" {
		t.Errorf("the statistics count %s refused connections (%v)", row["dcon"], err)
	}
}
