package wayin_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	pollhttp "swarm-scale/poll/http"
	"swarm-scale/test/eventually"
)

// requests are for pages of the frontend, and for what HAProxy answers by itself.
var requests = map[string]func(*http.Request){
	"page":                func(*http.Request) {},
	"page of the cluster": func(r *http.Request) { r.URL.Path = "/readyz" },
	"statistics":          func(r *http.Request) { r.URL.Path = "/haproxy" },
	"statistics, let in":  func(r *http.Request) { r.URL.Path = "/haproxy"; r.SetBasicAuth("stats", "not-a-secret") },
	"wrong name":          func(r *http.Request) { r.Host = "evil.example" },
}

// TestEveryAnswerOfTheLoadBalancerHasTheSecurityHeaders holds the headers, also where HAProxy answers by itself.
func TestEveryAnswerOfTheLoadBalancerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, wayin.Options{Limits: standard, Names: []string{"votingapp.local"}})
	for name, change := range requests {
		for forwarded, strict := range map[string]bool{"": false, "https": true, "HTTPS, http": true, "http, https": false} {
			header := s.ask(t, "127.0.0.1", http.MethodGet, change, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", forwarded) }).Header
			for _, want := range pollhttp.SecurityHeaders() {
				if got := header.Values(want.Name); len(got) != 1 || got[0] != want.Value {
					t.Errorf("%s: %s is %q, want %q", name, want.Name, got, want.Value)
				}
			}
			if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") {
				t.Errorf("%s: the policy is %q", name, got)
			}
			if got := header.Get("Strict-Transport-Security"); (got == pollhttp.StrictTransport) != strict || !strict && got != "" {
				t.Errorf("%s: by %q, Strict-Transport-Security is %q", name, forwarded, got)
			}
		}
	}
	for forwarded, strict := range map[string]bool{
		"for=192.0.2.1;proto=https": true, `for=192.0.2.1; proto="https"`: true, "PROTO=HTTPS;by=10.0.0.1": true,
		`for="x;proto=https"`: false, "proto=http": false, "for=192.0.2.1;myproto=https": false, `proto="https`: false,
	} {
		for first, ignored := range map[string]bool{"": false, "http": true} {
			header := s.ask(t, "127.0.0.1", http.MethodGet, func(r *http.Request) {
				r.Header.Set("Forwarded", forwarded)
				r.Header.Set("X-Forwarded-Proto", first)
			}).Header
			if got := header.Get("Strict-Transport-Security") != ""; got != (strict && !ignored) {
				t.Errorf("by %q and X-Forwarded-Proto %q, Strict-Transport-Security is there: %v", forwarded, first, got)
			}
		}
	}
	response := send(t, s.Balancer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	for _, want := range pollhttp.SecurityHeaders() {
		if !strings.Contains(strings.ToLower(response), strings.ToLower(want.Name)+": ") {
			t.Errorf("the answer to cleartext HTTP/2 lacks %s:\n%.600s", want.Name, response)
		}
	}
}

// TestWhatAFrontendCannotReadIsAnsweredWithAPage holds so for what Go's server refuses by itself.
func TestWhatAFrontendCannotReadIsAnsweredWithAPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, wayin.Options{Limits: standard})
	for name, request := range map[string]string{
		"a path": "GET /%zz HTTP/1.1\r\nHost: votingapp.local\r\n\r\n", "an expectation": "GET / HTTP/1.1\r\nHost: votingapp.local\r\nExpect: wonders\r\n\r\n",
	} {
		response := send(t, s.Balancer, request)
		if !strings.HasPrefix(response, "HTTP/1.1 400") || !strings.Contains(response, "<html") || !strings.Contains(strings.ToLower(response), "x-frame-options: deny") {
			t.Errorf("%s is answered with %.200q", name, response)
		}
	}
}

// TestPagesOfTheClusterAreNotShown holds that no spelling of their paths leads to a frontend's health, readiness or metrics.
func TestPagesOfTheClusterAreNotShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, wayin.Options{Limits: standard})
	for _, path := range []string{"/readyz", "/healthz", "/metrics", "/startedz", "/readyz?x=/", "/%72eadyz", "/health%7A", "http://votingapp.local/readyz"} {
		s.seen.Store(nil)
		response := send(t, s.Balancer, "GET "+path+" HTTP/1.1\r\nHost: votingapp.local\r\n\r\n")
		if !strings.HasPrefix(response, "HTTP/1.1 404") || s.seen.Load() != nil {
			t.Errorf("%s is answered with %.40q", path, response)
		}
	}
}

// TestOnlyOwnNamesAreAnswered holds under which names there is a poll. A page of another site cannot have an address as its name.
func TestOnlyOwnNamesAreAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t, wayin.Options{Limits: standard, Names: []string{"votingapp.local", "vote.example.org"}})
	for host, ok := range map[string]bool{
		"votingapp.local": true, "VotingApp.local:8080": true, "vote.example.org": true, "127.0.0.1": true, "192.0.2.7:80": true,
		"[2001:db8::1]": true, "[::1]:8080": true, "votingapp.local.": true, "votingapp.local.:80": true, "VotingApp.local.": true,
		"evil.example": false, "votingapp.local.evil.example": false, "evil.votingapp.local": false, "localhost": false,
		"192.0.2.7.evil.example": false, "[evil.example]": false,
		"evil.example.": false, "votingapp.local..": false, "votingappxlocal.": false, ".": false,
	} {
		response := s.ask(t, "127.0.0.1", http.MethodGet, func(r *http.Request) { r.Host = host })
		if (response.StatusCode == http.StatusOK) != ok || !ok && response.StatusCode != http.StatusMisdirectedRequest && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: answered with %s", host, response.Status)
		}
	}
	proxied := newSite(t, wayin.Options{Limits: standard, Names: []string{"votingapp.local"}, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.8/32")}})
	for from, want := range map[string]int{"127.0.0.8": http.StatusOK, "127.0.0.9": http.StatusMisdirectedRequest} {
		if response := proxied.ask(t, from, http.MethodGet, func(r *http.Request) { r.Host = "inside.example" }); response.StatusCode != want {
			t.Errorf("under a name that the proxy gave, %s is answered with %s", from, response.Status)
		}
	}
	any := newSite(t, wayin.Options{Limits: standard})
	if response := any.ask(t, "127.0.0.1", http.MethodGet, func(r *http.Request) { r.Host = "evil.example" }); response.StatusCode != http.StatusOK {
		t.Errorf("without names, any name: answered with %s", response.Status)
	}
}

// TestLogHasNoAddresses holds that HAProxy's log tells nobody's address, unless it is told to: not of votes, not of what is refused
// or cannot be read.
func TestLogHasNoAddresses(t *testing.T) {
	t.Parallel()
	const voter = "127.0.0.77"
	for _, wanted := range []bool{false, true} {
		s := newSite(t, wayin.Options{LogAddresses: wanted, Names: []string{"votingapp.local"},
			Limits: wayin.Limits{ConnectionsPerAddress: 100, VotesPerAddress: 1, NewVotersPerAddress: 100}})
		for range 2 {
			s.ask(t, voter, http.MethodPost, withCookie, forwardedFor("192.0.2.66"))
		}
		for _, change := range requests {
			s.ask(t, voter, http.MethodGet, change)
		}
		send(t, s.Balancer, "broken\r\n\r\n")
		s.Kill() // it has written all of it
		log := s.Log.String()
		if !strings.Contains(log, `"POST /"`) || !strings.Contains(log, " vote: ") {
			t.Errorf("the log lacks the requests:\n%s", log)
		}
		if got := strings.Contains(log, voter); got != wanted {
			t.Errorf("addresses are in the log: %v, want %v:\n%s", got, wanted, log)
		}
		if strings.Contains(log, "192.0.2.66") || strings.Contains(log, "voter=") {
			t.Errorf("the log has what a stranger claims, or a cookie:\n%s", log)
		}
	}
}

// TestReadyWhileAFrontendIs holds what a load balancer or a DNS service in front is told, under any name, and that it counts for nothing.
func TestReadyWhileAFrontendIs(t *testing.T) {
	t.Parallel()
	const path = "/load-balancer/ready"
	s := newSite(t, wayin.Options{Names: []string{"votingapp.local"}, ReadyPath: path, LogAddresses: true,
		Limits: wayin.Limits{ConnectionsPerAddress: 100, VotesPerAddress: 1, NewVotersPerAddress: 1}})
	ready := func() int {
		return s.ask(t, "127.0.0.88", http.MethodGet, func(r *http.Request) { r.URL.Path, r.Host = path, "10.0.0.1:80" }).StatusCode
	}
	for range 5 {
		if got := ready(); got != http.StatusOK {
			t.Errorf("while a frontend is ready it is answered with %d", got)
		}
	}
	if s.seen.Load() != nil {
		t.Error("a frontend was asked")
	}
	if got := s.ask(t, "127.0.0.88", http.MethodGet).StatusCode; got != http.StatusOK {
		t.Errorf("the first voter of the same address is answered with %d", got)
	}
	s.frontend.Close()
	eventually.Succeeds(t, 20*time.Second, "it says that no frontend is ready", func() error {
		if got := ready(); got != http.StatusServiceUnavailable {
			return fmt.Errorf("it is answered with %d", got)
		}
		return nil
	})
	s.Kill()
	if log := s.Log.String(); strings.Contains(log, path) {
		t.Errorf("it is in the log:\n%s", log)
	}
	without := newSite(t, wayin.Options{Limits: standard})
	if response := without.ask(t, "127.0.0.88", http.MethodGet, func(r *http.Request) { r.URL.Path = path }); without.seen.Load() == nil {
		t.Errorf("where nobody asks, it is not the frontends' own page: %s", response.Status)
	}
}
