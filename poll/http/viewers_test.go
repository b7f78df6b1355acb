package http

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"swarm-scale/poll/clients"
	"swarm-scale/test/eventually"
)

// TestViewersOfOneAddressAreBounded holds that one client has so many event streams and no more, whichever addresses of its /64 it
// uses, and that others have theirs. Behind a trusted proxy each viewer is a client.
func TestViewersOfOneAddressAreBounded(t *testing.T) {
	const most = 3
	board := &memoryBoard{}
	base := newResultsApp(t, board)
	app, err := NewResultsApp(ResultsOptions{Ballot: base.live.ballot, Scoreboard: board, Registerer: prometheus.NewRegistry(),
		MostPerClient: most, Proxies: clients.Proxies{netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = r.Header.Get("From") // the test's way to come from anywhere
		app.ServeHTTP(w, r)
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	watch := func(from, forwarded string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("From", from)
		request.Header.Set("X-Forwarded-For", forwarded)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	for _, test := range []struct{ from, again, forwarded, other, otherForwarded string }{
		{"192.0.2.1:1", "192.0.2.1:2", "", "192.0.2.2:1", ""},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", "", "[2001:db8:0:1::1]:1", ""},
		{"10.0.0.1:1", "10.0.0.2:1", "198.51.100.7", "10.0.0.1:1", "198.51.100.8"},
	} {
		for range most {
			if status := watch(test.from, test.forwarded); status != http.StatusOK {
				t.Errorf("%s: answered with %d", test.from, status)
			}
		}
		if status := watch(test.again, test.forwarded); status != http.StatusTooManyRequests {
			t.Errorf("%s after %d of the same client: answered with %d", test.again, most, status)
		}
		if status := watch(test.other, test.otherForwarded); status != http.StatusOK {
			t.Errorf("%s: answered with %d for what another client has", test.other, status)
		}
	}
	if got := app.viewers.Load(); got != 3*(most+1) {
		t.Errorf("%d viewers are connected, want %d", got, 3*(most+1))
	}
	hangUp()
	eventually.Succeeds(t, 30*time.Second, "the viewers' places are free again", func() error {
		if app.clients.Take(clients.Of(netip.MustParseAddr("192.0.2.1"))) {
			return nil
		}
		return context.DeadlineExceeded
	})
}
