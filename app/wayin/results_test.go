package wayin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	"swarm-scale/test/eventually"
	"swarm-scale/test/haproxytest"
)

// resultsPage is a results page that says which one it is and whom it is asked for.
func resultsPage(t *testing.T, name string, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" || r.Header.Get("X-Forwarded-For") != "" {
			asked.Add(1)
		}
		io.WriteString(w, name+" for "+r.Header.Get("X-Forwarded-For")) //nolint:errcheck // the test reads it
	}))
	t.Cleanup(server.Close)
	return server
}

// TestResultsAreServedByAnyStore holds that the results' names lead to a results page, that a viewer goes on with another one when one is
// gone, and that the page hears whom it is asked for.
func TestResultsAreServedByAnyStore(t *testing.T) {
	t.Parallel()
	var asked [2]atomic.Int64
	one, two := resultsPage(t, "results-app", &asked[0]), resultsPage(t, "results-app02", &asked[1])
	s := newSite(t, wayin.Options{
		Limits: standard, Names: []string{"votingapp.local"}, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.8/32")},
		Results: &wayin.Results{Names: []string{"results.votingapp.local", "results.example.org"},
			Pages: []wayin.Frontend{haproxytest.Frontend("store", one.URL), haproxytest.Frontend("store02", two.URL)}},
	})
	get := func(from, host string, changes ...func(*http.Request)) (int, string) {
		response := s.ask(t, from, http.MethodGet, append(changes, func(r *http.Request) { r.Host = host })...)
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for _, host := range []string{"results.votingapp.local", "Results.Example.org", "results.example.org.:80"} {
		if status, body := get("127.0.0.1", host, forwardedFor("192.0.2.99")); status != 200 || !strings.HasSuffix(body, " for 127.0.0.1") {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
	if status, body := get("127.0.0.8", "results.example.org", forwardedFor("192.0.2.99")); status != 200 || !strings.HasSuffix(body, " for 192.0.2.99") {
		t.Errorf("by a trusted proxy: %d %s", status, body)
	}
	if status, body := get("127.0.0.1", "votingapp.local"); status != 200 || strings.Contains(body, "results-app") {
		t.Errorf("the vote page: %d %s", status, body)
	}
	if status, _ := get("127.0.0.1", "evil.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %d", status)
	}
	one.Close()
	for range 10 {
		if status, body := get("127.0.0.1", "results.example.org"); status != 200 || !strings.HasPrefix(body, "results-app02") {
			t.Errorf("with one results page gone: %d %s", status, body)
		}
	}
	two.Close()
	eventually.Succeeds(t, 30*time.Second, "the load balancer says that the results are away", func() error {
		status, body := get("127.0.0.1", "results.example.org")
		if status == http.StatusServiceUnavailable && strings.Contains(body, "The results cannot be shown right now") {
			return nil
		}
		return fmt.Errorf("%d %s", status, body)
	})
	if asked[0].Load() == 0 || asked[1].Load() == 0 {
		t.Errorf("the pages were asked %d and %d times: want both", asked[0].Load(), asked[1].Load())
	}
}
