package http

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEveryAnswerHasTheSecurityHeaders holds the headers for pages, votes, data, events, and answers to what is refused.
func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	vote, results := newVoteApp(t, &memoryQueue{}, nil), newResultsApp(t, &memoryBoard{})
	for name, test := range map[string]struct {
		app     http.Handler
		request *http.Request
	}{
		"ballot":          {vote, httptest.NewRequest(http.MethodGet, "/", nil)},
		"vote":            {vote, form("vote=a", newcomer(t, vote))},
		"refused vote":    {vote, form("vote=c")},
		"unknown page":    {vote, httptest.NewRequest(http.MethodGet, "/nothing", nil)},
		"unknown method":  {vote, httptest.NewRequest(http.MethodDelete, "/", nil)},
		"redirect":        {vote, httptest.NewRequest(http.MethodGet, "//healthz", nil)},
		"health":          {vote, httptest.NewRequest(http.MethodGet, "/healthz", nil)},
		"results":         {results, httptest.NewRequest(http.MethodGet, "/", nil)},
		"results as data": {results, httptest.NewRequest(http.MethodGet, "/results.json", nil)},
		"events":          {results, httptest.NewRequest(http.MethodHead, "/events", nil)},
		"no results page": {results, httptest.NewRequest(http.MethodGet, "/nothing", nil)},
	} {
		for forwarded, strict := range map[string]bool{"": false, "http": false, "https": true, "HTTPS, http": true} {
			request := test.request.Clone(t.Context())
			request.Header.Set("X-Forwarded-Proto", forwarded)
			header := answer(test.app, request).Header
			for _, want := range SecurityHeaders() {
				if got := header.Values(want.Name); len(got) != 1 || got[0] != want.Value {
					t.Errorf("%s: %s is %q, want %q", name, want.Name, got, want.Value)
				}
			}
			if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "frame-ancestors 'none'") {
				t.Errorf("%s: the policy is %q", name, got)
			}
			if got := header.Get("Strict-Transport-Security"); (got == StrictTransport) != strict || !strict && got != "" {
				t.Errorf("%s: by %q, Strict-Transport-Security is %q", name, forwarded, got)
			}
		}
	}
}

// TestNewVotersAreMarked holds that exactly the answers with a new voter's cookie have the mark by which the load balancer counts.
func TestNewVotersAreMarked(t *testing.T) {
	app := newVoteApp(t, &memoryQueue{}, nil)
	known := newcomer(t, app)
	get := func(cookie string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if cookie != "" {
			r.Header.Set("Cookie", "voter="+cookie)
		}
		return r
	}
	for name, test := range map[string]struct {
		request *http.Request
		marked  bool
	}{
		"ballot, no cookie":       {get(""), true},
		"ballot, foreign cookie":  {get("x"), true},
		"ballot, a known voter":   {get(known), false},
		"vote without a cookie":   {form("vote=a"), true},
		"vote, foreign cookie":    {form("vote=a", "x"), true},
		"vote of a known voter":   {form("vote=a", known), false},
		"vote that is unreadable": {form("x"), false},
	} {
		if got := answer(app, test.request).Header.Get(NewVoterHeader) != ""; got != test.marked {
			t.Errorf("%s: marked is %v, want %v", name, got, test.marked)
		}
	}
}
