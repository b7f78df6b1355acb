package http

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestVotesComeFromTheSiteItself(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, func(o *VoteOptions) { o.Names = []string{"named.example"} })
	cookie := newcomer(t, app)
	for _, test := range []struct {
		name, host, origin string
		headers            map[string]string
		taken              bool
	}{
		{"the same host", "vote.example", "http://vote.example", nil, true},
		{"another case", "Vote.Example", "http://vote.example", nil, true},
		{"http's port in Host", "vote.example:80", "http://vote.example", nil, true},
		{"https's port in Host", "vote.example:443", "https://vote.example", nil, true},
		{"http's port behind https", "vote.example:80", "https://vote.example", nil, true},
		{"a port in both", "vote.example:5000", "http://vote.example:5000", nil, true},
		{"an address", "[2001:db8::1]:80", "http://[2001:db8::1]", nil, true},
		{"no origin", "vote.example", "", nil, true},
		{"a Host that the proxy rewrote", "frontend01:80", "https://vote.example", map[string]string{"X-Forwarded-Host": "vote.example"}, true},
		{"the same with a port", "10.0.0.7", "https://vote.example", map[string]string{"X-Forwarded-Host": "vote.example:443"}, true},
		{"the same by two proxies", "10.0.0.7", "https://vote.example", map[string]string{"X-Forwarded-Host": "vote.example, inner:8080"}, true},
		{"the same by Forwarded", "10.0.0.7", "https://vote.example:8443",
			map[string]string{"Forwarded": `for=192.0.2.1;host="vote.example:8443";proto=https, for=10.0.0.1`}, true},
		{"Forwarded with a comma in quotes", "10.0.0.7", "https://vote.example", map[string]string{"Forwarded": `for="a,b";host=vote.example`}, true},
		{"Forwarded with a semicolon in quotes", "10.0.0.7", "https://vote.example", map[string]string{"Forwarded": `for="a;b\",";host="vote.example"`}, true},
		{"a host in quotes of another", "10.0.0.7", "https://evil.example", map[string]string{"Forwarded": `for="a;host=evil.example;b";host=vote.example`}, false},
		{"a quote without end", "10.0.0.7", "https://vote.example", map[string]string{"Forwarded": `for="a;host=vote.example`}, false},
		{"a port that the proxy names", "vote.example", "http://vote.example:8080", map[string]string{"X-Forwarded-Port": "8080"}, true},
		{"an address's port", "[2001:db8::1]", "http://[2001:db8::1]:8080", map[string]string{"X-Forwarded-Port": "8080"}, true},
		{"a port of a host that the proxy rewrote", "10.0.0.7", "https://vote.example:8443",
			map[string]string{"X-Forwarded-Host": "vote.example", "X-Forwarded-Port": "8443, 8080"}, true},
		{"a port that the proxy names, and hides", "vote.example", "http://vote.example", map[string]string{"X-Forwarded-Port": "8080"}, true},
		{"https's port", "vote.example", "https://vote.example", map[string]string{"X-Forwarded-Port": "443"}, true},
		{"a port besides one in Host", "vote.example:5000", "http://vote.example:8080", map[string]string{"X-Forwarded-Port": "8080"}, false},
		{"another port than the proxy's", "vote.example", "http://vote.example:8081", map[string]string{"X-Forwarded-Port": "8080"}, false},
		{"another host at the proxy's port", "vote.example", "http://evil.example:8080", map[string]string{"X-Forwarded-Port": "8080"}, false},
		{"the browser says so", "frontend01:80", "http://vote.example", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"typed by hand", "frontend01:80", "", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"a name that a proxy hides", "10.0.0.7", "http://named.example", nil, true},
		{"a port that a proxy hides", "named.example", "http://Named.example.:8080", nil, true},
		{"a host that ends like the name", "10.0.0.7", "http://evilnamed.example", nil, false},
		{"the name, and the browser says another site", "10.0.0.7", "http://named.example", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"another host", "vote.example", "http://evil.example", nil, false},
		{"another port", "vote.example", "http://vote.example:8080", nil, false},
		{"http at https's port", "vote.example", "http://vote.example:443", nil, false},
		{"a host that ends alike", "vote.example", "http://evilvote.example", nil, false},
		{"an opaque origin", "vote.example", "null", nil, false},
		{"no origin at all", "vote.example", "http://", nil, false},
		{"another site behind the proxy", "10.0.0.7", "https://evil.example", map[string]string{"X-Forwarded-Host": "vote.example"}, false},
		{"the inner host", "10.0.0.7", "https://inner:8080", map[string]string{"X-Forwarded-Host": "vote.example, inner:8080"}, false},
		{"the browser says another site", "vote.example", "http://vote.example", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"a neighbour", "vote.example", "", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
	} {
		r := form("vote=a", cookie)
		r.Host = test.host
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		for name, value := range test.headers {
			r.Header.Set(name, value)
		}
		want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[test.taken]
		if got := answer(app, r).StatusCode; got != want {
			t.Errorf("%s: answered with %d, want %d", test.name, got, want)
		}
	}
}

// A site by http and by https, behind a proxy that says which it was.
type bothSchemes struct {
	app http.Handler
	jar http.CookieJar
}

// send has the browser send a request, with the cookies that it would send.
func (b bothSchemes) send(t *testing.T, method, scheme string) *http.Response {
	t.Helper()
	site := &url.URL{Scheme: scheme, Host: "vote.example", Path: "/"}
	r := httptest.NewRequest(method, site.String(), strings.NewReader("vote=a"))
	r.Header.Set("X-Forwarded-Proto", scheme)
	r.Header.Set("Content-Type", formType)
	for _, cookie := range b.jar.Cookies(site) {
		r.AddCookie(cookie)
	}
	r.TLS = nil
	response := answer(b.app, r)
	cookies := response.Cookies()
	if scheme == "http" { // browsers keep a Secure cookie from what came by http; Go's jar does not
		kept := b.jar.Cookies(&url.URL{Scheme: "https", Host: site.Host, Path: "/"})
		open := b.jar.Cookies(site)
		cookies = slices.DeleteFunc(cookies, func(c *http.Cookie) bool {
			named := func(other *http.Cookie) bool { return other.Name == c.Name }
			return slices.ContainsFunc(kept, named) && !slices.ContainsFunc(open, named)
		})
	}
	b.jar.SetCookies(site, cookies)
	return response
}

func TestVotersChangeBetweenHTTPAndHTTPS(t *testing.T) {
	for _, schemes := range [][]string{{"https", "http"}, {"http", "https"}, {"https", "http", "https"}, {"http", "https", "http"}} {
		queue := &memoryQueue{}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := bothSchemes{newVoteApp(t, queue, nil), jar}
		for _, scheme := range schemes {
			browser.send(t, http.MethodGet, scheme)
			if status := browser.send(t, http.MethodPost, scheme).StatusCode; status != http.StatusOK {
				t.Errorf("%v: the vote by %s was answered with %d", schemes, scheme, status)
			}
		}
		if schemes[0] == "http" && len(queue.votes) == len(schemes) && queue.votes[0].Voter != queue.votes[1].Voter {
			t.Errorf("%v: who came by http is another voter by https", schemes)
		}
	}
}
