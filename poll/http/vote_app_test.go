package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"swarm-scale/poll"
)

// memoryQueue keeps votes in memory, or fails.
type memoryQueue struct {
	mu     sync.Mutex
	votes  []poll.Vote
	fault  error
	alone  error // no second queue can be reached
	checks int
	hold   chan struct{} // if set, Append waits for it
}

func (q *memoryQueue) Append(ctx context.Context, vote poll.Vote) error {
	if q.hold != nil {
		select {
		case <-q.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fault == nil {
		q.votes = append(q.votes, vote)
	}
	return q.fault
}

func (q *memoryQueue) CheckWritable(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.checks++
	return q.fault
}

func (q *memoryQueue) CheckAccepts(ctx context.Context) error {
	if err := q.CheckWritable(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.alone
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

// newVoteApp makes a vote page whose clock stands still.
func newVoteApp(t testing.TB, queue poll.Queue, change func(*VoteOptions)) *VoteApp {
	t.Helper()
	ballot, err := poll.NewBallot("Cats", "Dogs")
	if err != nil {
		t.Fatal(err)
	}
	options := VoteOptions{Ballot: ballot, Queue: queue, Key: testKey, Container: "frontend01",
		Now: func() time.Time { return time.UnixMicro(1000) }}
	if change != nil {
		change(&options)
	}
	app, err := NewVoteApp(options)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func form(vote string, cookies ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(vote))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, cookie := range cookies {
		r.Header.Add("Cookie", "voter="+cookie)
	}
	return r
}

func answer(app http.Handler, r *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	app.ServeHTTP(recorder, r)
	return recorder.Result()
}

func bodyOf(t testing.TB, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// cookieOf is the voter's cookie that the answer sets; empty if none.
func cookieOf(response *http.Response) string {
	for _, cookie := range response.Cookies() {
		if cookie.Name == cookieName {
			return cookie.Value
		}
	}
	return ""
}

// newcomer asks for the page and returns the cookie.
func newcomer(t testing.TB, app http.Handler) string {
	t.Helper()
	cookie := cookieOf(answer(app, httptest.NewRequest(http.MethodGet, "/", nil)))
	if cookie == "" {
		t.Fatal("a newcomer gets no cookie")
	}
	return cookie
}

func TestVoting(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, nil)
	cookie := newcomer(t, app)
	for i, choice := range []string{"a", "b", "b"} {
		response := answer(app, form("vote="+choice, cookie))
		body := bodyOf(t, response)
		if response.StatusCode != http.StatusOK || !strings.Contains(body, "Thank you!") ||
			!strings.Contains(body, `value="`+choice+`" aria-pressed="true"`) {
			t.Fatalf("the vote was answered with %d:\n%s", response.StatusCode, body)
		}
		if i < 2 { // the third comes with the second's old cookie: its answer was lost
			cookie = cookieOf(response)
		}
	}
	if len(queue.votes) != 3 {
		t.Fatalf("%d votes were queued, want 3", len(queue.votes))
	}
	for i, vote := range queue.votes {
		if err := vote.Check(); err != nil || vote.Voter != queue.votes[0].Voter {
			t.Errorf("vote %d is %+v (%v), want the same voter", i, vote, err)
		}
		// The clock stands still, and yet each vote is later than the one before.
		if want := queue.votes[0].CastAt + poll.Timestamp(i); vote.CastAt != want {
			t.Errorf("vote %d was cast at %d, want %d", i, vote.CastAt, want)
		}
	}
	// On another frontend, whose clock is behind, the next vote is still later.
	other := newVoteApp(t, queue, func(o *VoteOptions) { o.Now = func() time.Time { return time.UnixMicro(5) } })
	answer(other, form("vote=a", cookie))
	if last := queue.votes[3]; last.CastAt <= queue.votes[1].CastAt || last.Voter != queue.votes[0].Voter {
		t.Errorf("on another frontend the vote is %+v", last)
	}
	// The page knows the choice.
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "voter="+cookie)
	response := answer(app, r)
	if body := bodyOf(t, response); !strings.Contains(body, `value="b" aria-pressed="true"`) {
		t.Errorf("the page does not show the choice:\n%s", body)
	}
	if cookieOf(response) != "" {
		t.Error("a voter who is known gets another cookie")
	}
}

// Whoever has the votes, and a log that says who voted when, cannot tell which vote is whose: each voter's clock runs ahead by another
// part of a day. It does so alike on all frontends, so that the latest vote counts.
func TestTimestampsDoNotTellWhenSomebodyVoted(t *testing.T) {
	queue := &memoryQueue{}
	now := time.Date(2026, 2, 8, 23, 30, 0, 0, time.UTC)
	frontends := make([]*VoteApp, 2)
	for i := range frontends {
		frontends[i] = newVoteApp(t, queue, func(o *VoteOptions) { o.Now = func() time.Time { return now } })
	}
	var least, most time.Duration = shiftLimit, 0
	const voters = 200
	for range voters {
		cookie := newcomer(t, frontends[0])
		first := len(queue.votes)
		answer(frontends[0], form("vote=a", cookie))
		now = now.Add(time.Millisecond)
		answer(frontends[1], form("vote=b", cookie)) // as if the first answer was lost
		votes := queue.votes[first:]
		if len(votes) != 2 || votes[1].CastAt-votes[0].CastAt != 1000 {
			t.Fatalf("the votes of one voter are %+v, want them a millisecond apart", votes)
		}
		ahead := votes[1].CastAt.Time().Sub(now)
		least, most = min(least, ahead), max(most, ahead)
	}
	if least < 0 || most > shiftLimit || most-least < shiftLimit*9/10 {
		t.Errorf("the clocks of %d voters are ahead by %s to %s, want by anything up to %s", voters, least, most, shiftLimit)
	}
}

func TestCookieAttributes(t *testing.T) {
	app := newVoteApp(t, &memoryQueue{}, nil)
	for _, test := range []struct {
		headers map[string]string
		secure  bool
	}{
		{nil, false},
		{map[string]string{"X-Forwarded-Proto": ""}, false},
		{map[string]string{"X-Forwarded-Proto": "http"}, false},
		{map[string]string{"X-Forwarded-Proto": "https"}, true},
		{map[string]string{"X-Forwarded-Proto": "HTTPS"}, true},
		{map[string]string{"X-Forwarded-Proto": "https,http"}, true},
		{map[string]string{"X-Forwarded-Proto": " https , http"}, true},
		{map[string]string{"X-Forwarded-Proto": "http, https"}, false}, // TLS between the proxies only
		{map[string]string{"X-Forwarded-Proto": "httpsx"}, false},
		{map[string]string{"Forwarded": "for=192.0.2.1;proto=https;host=vote.example"}, true},
		{map[string]string{"Forwarded": `For="[2001:db8::1]:4711"; Proto="HTTPS", for=10.0.0.1;proto=http`}, true},
		{map[string]string{"Forwarded": "for=192.0.2.1;proto=http, proto=https"}, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range test.headers {
			r.Header.Set(name, value)
		}
		cookie := answer(app, r).Cookies()[0]
		name := map[bool]string{false: "voter", true: "__Host-voter"}[test.secure]
		if cookie.Name != name || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" ||
			cookie.MaxAge != 365*24*3600 || cookie.Secure != test.secure {
			t.Errorf("with %q the cookie is %+v", test.headers, cookie)
		}
	}
}

func TestBadVotesAreRefused(t *testing.T) {
	mine := "" // set below
	tests := []struct {
		name    string
		request func() *http.Request
		status  int
		say     string
	}{
		{"unknown option", func() *http.Request { return form("vote=c", mine) }, 400, "not for one of the two options"},
		{"HTML as option", func() *http.Request { return form("vote=%3Cscript%3Ealert(1)%3C/script%3E", mine) }, 400, "not for one of"},
		{"SQL as option", func() *http.Request { return form("vote=a';DROP TABLE votes;--", mine) }, 400, "could not be read"},
		{"SQL as option, encoded", func() *http.Request { return form("vote=a%27%3BDROP+TABLE+votes", mine) }, 400, "not for one of"},
		{"invalid UTF-8", func() *http.Request { return form("vote=%ff%fe", mine) }, 400, "not for one of"},
		{"NUL", func() *http.Request { return form("vote=a%00", mine) }, 400, "not for one of"},
		{"bad escape", func() *http.Request { return form("vote=%zz", mine) }, 400, "could not be read"},
		{"no vote", func() *http.Request { return form("", mine) }, 400, "could not be read"},
		{"two votes", func() *http.Request { return form("vote=a&vote=b", mine) }, 400, "could not be read"},
		{"vote in the address", func() *http.Request {
			r := form("", mine)
			r.URL.RawQuery = "vote=a"
			return r
		}, 400, "could not be read"},
		{"too large", func() *http.Request { return form("vote="+strings.Repeat("a", 2000), mine) }, 413, "far more"},
		{"too large, unannounced", func() *http.Request {
			r := form("vote="+strings.Repeat("a", 2000), mine)
			r.ContentLength = -1
			return r
		}, 413, "far more"},
		{"JSON", func() *http.Request {
			r := form(`{"vote":"a"}`, mine)
			r.Header.Set("Content-Type", "application/json")
			return r
		}, 415, "as a form"},
		{"no type", func() *http.Request {
			r := form("vote=a", mine)
			r.Header.Del("Content-Type")
			return r
		}, 415, "as a form"},
		{"another site's", func() *http.Request {
			r := form("vote=a", mine)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return r
		}, 403, "from another site"},
		{"another origin", func() *http.Request {
			r := form("vote=a", mine)
			r.Header.Set("Origin", "http://evil.example")
			return r
		}, 403, "from another site"},
		{"no cookie", func() *http.Request { return form("vote=a") }, 409, "choose again"},
		{"forged cookie", func() *http.Request { return form("vote=a", "AQ"+strings.Repeat("A", 76)) }, 409, "choose again"},
		{"duplicate cookies", func() *http.Request { return form("vote=a", mine, mine) }, 400, "two voters"},
		{"duplicate cookies in one line", func() *http.Request { return form("vote=a", mine+"; voter=x") }, 400, "two voters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			queue := &memoryQueue{}
			app := newVoteApp(t, queue, nil)
			mine = newcomer(t, app)
			response := answer(app, test.request())
			body := bodyOf(t, response)
			if response.StatusCode != test.status || !strings.Contains(body, test.say) {
				t.Errorf("answered with %d, want %d and %q in:\n%s", response.StatusCode, test.status, test.say, body)
			}
			if !strings.Contains(body, `role="alert"`) || !strings.Contains(body, `<button class="option a"`) {
				t.Error("the page lacks the alert or the ballot")
			}
			if strings.Contains(body, "alert(1)") || strings.Contains(body, "DROP") {
				t.Error("the page repeats what was sent")
			}
			if len(queue.votes) != 0 {
				t.Errorf("it was queued: %+v", queue.votes)
			}
			if got := cookieOf(response) != ""; got != (test.status == 409) {
				t.Errorf("the answer sets a cookie: %v", got)
			}
		})
	}
}

// A voter without a cookie is asked to choose again, and that counts.
func TestVoteWithoutCookieThenWith(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, nil)
	cookie := cookieOf(answer(app, form("vote=a")))
	if status := answer(app, form("vote=a", cookie)).StatusCode; status != 200 || len(queue.votes) != 1 {
		t.Errorf("the second attempt: %d, %d votes", status, len(queue.votes))
	}
}

func TestVotesAreRefusedWhileTheQueueIsDown(t *testing.T) {
	queue := &memoryQueue{}
	var log bytes.Buffer
	app := newVoteApp(t, queue, func(o *VoteOptions) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	cookie := cookieOf(answer(app, form("vote=a", newcomer(t, app))))
	queue.fault = fmt.Errorf("redis is away: %w", poll.ErrUnavailable)
	var response *http.Response
	for range 10 {
		response = answer(app, form("vote=b", cookie))
	}
	body := bodyOf(t, response)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "5" ||
		strings.Contains(body, "Thank you") || !strings.Contains(body, "we cannot take votes at this moment") {
		t.Errorf("answered with %d, Retry-After %q:\n%s", response.StatusCode, response.Header.Get("Retry-After"), body)
	}
	if !strings.Contains(body, `value="a" aria-pressed="true"`) {
		t.Error("the page does not show the last choice that was taken")
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("the log has %d lines for ten failures, want one:\n%s", lines, log.String())
	}
	// The queue may have taken that vote although it failed: the next one is later, with whatever clock.
	queue.fault = nil
	answer(app, form("vote=b", cookieOf(response)))
	if last := queue.votes[len(queue.votes)-1]; last.CastAt != queue.votes[0].CastAt+2 {
		t.Errorf("the vote after the failure was cast at %d, the one before it at %d", last.CastAt, queue.votes[0].CastAt)
	}
}

// In the bubble no time passes while voters wait, however long it takes to let them in.
func TestTooManyVotersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := &memoryQueue{hold: make(chan struct{})}
		app := newVoteApp(t, queue, nil)
		cookie := newcomer(t, app)
		var wait sync.WaitGroup
		for range maxWaiting {
			wait.Go(func() { answer(app, form("vote=a", cookie)) })
		}
		synctest.Wait()
		response := answer(app, form("vote=a", cookie))
		if body := bodyOf(t, response); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" ||
			!strings.Contains(body, "too many voters") {
			t.Errorf("answered with %d:\n%s", response.StatusCode, body)
		}
		close(queue.hold)
		wait.Wait()
		if len(queue.votes) != maxWaiting {
			t.Errorf("%d votes were queued, want the %d that waited", len(queue.votes), maxWaiting)
		}
	})
}

func TestVoteAppPaths(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, nil)
	tests := []struct {
		method, path string
		status       int
		say          string
	}{
		{"GET", "/", 200, "Answered by container frontend01</p>\n</footer>"},
		{"GET", "/?utm=1", 200, "Cats or Dogs?"},
		{"HEAD", "/", 200, ""},
		{"GET", "/nothing", 404, "There is no page at this address."},
		{"GET", "/env", 404, "There is no page at this address."},
		{"GET", "/metrics", 404, "There is no page at this address."},
		{"POST", "/nothing", 404, "There is no page at this address."},
		{"PUT", "/", 405, "cannot be asked for in this way"},
		{"DELETE", "/", 405, "cannot be asked for in this way"},
		{"POST", "/healthz", 405, "cannot be asked for in this way"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 200, "ok"},
		{"GET", "/startedz", 200, "ok"},
	}
	for _, test := range tests {
		response := answer(app, httptest.NewRequest(test.method, test.path, nil))
		if body := bodyOf(t, response); response.StatusCode != test.status || !strings.Contains(body, test.say) {
			t.Errorf("%s %s: %d, want %d and %q in:\n%s", test.method, test.path, response.StatusCode, test.status, test.say, body)
		}
		if test.status == 405 && response.Header.Get("Allow") == "" {
			t.Errorf("%s %s: the answer does not say which methods are allowed", test.method, test.path)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", test.method, test.path, response.Header)
		}
	}
}

func TestVoteAppHealth(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, nil)
	ask := func(path string) (int, string) {
		response := answer(app, httptest.NewRequest(http.MethodGet, path, nil))
		return response.StatusCode, bodyOf(t, response)
	}
	for range 50 {
		if status, body := ask("/readyz"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if queue.checks != 1 {
		t.Errorf("50 questions wrote %d times, want once a second", queue.checks)
	}
	queue.fault = errors.New("no")
	app.writable.at = time.Time{} // a second later
	if status, body := ask("/startedz"); status != 503 {
		t.Errorf("it has not started without a queue, but says %d %s", status, body)
	}
	queue.fault, app.writable.at = nil, time.Time{}
	if status, body := ask("/startedz"); status != 200 {
		t.Errorf("it has started, but says %d %s", status, body)
	}
	queue.fault, app.writable.at = errors.New("no"), time.Time{}
	if status, body := ask("/startedz"); status != 200 {
		t.Errorf("it has started, and another one would not find the queue, but it says %d %s", status, body)
	}
	app.accepts.at = time.Time{}
	for _, page := range []string{"/healthz", "/readyz"} {
		if status, body := ask(page); status != 503 || !strings.Contains(body, "redis does not take a write") {
			t.Errorf("without a queue %s says %d %s", page, status, body)
		}
	}
	queue.fault, queue.alone = nil, errors.New("no second one")
	app.writable.at, app.accepts.at = time.Time{}, time.Time{}
	if status, body := ask("/healthz"); status != 200 {
		t.Errorf("its own queue takes writes, but it says %d %s", status, body)
	}
	if status, body := ask("/readyz"); status != 503 {
		t.Errorf("no vote would be taken, but it says %d %s", status, body)
	}
	queue.alone, app.accepts.at = nil, time.Time{}
	app.Stopping()
	if status, _ := ask("/healthz"); status != 200 {
		t.Errorf("while stopping it is healthy, but says %d", status)
	}
	if status, body := ask("/readyz"); status != 503 || !strings.Contains(body, "stopping") {
		t.Errorf("while stopping it is not ready, but says %d %s", status, body)
	}
}

func TestLabelsAreEscaped(t *testing.T) {
	ballot, err := poll.NewBallot(`<img src=x onerror=a>`, `"Dogs" & 'co' {{.}}`)
	if err != nil {
		t.Fatal(err)
	}
	app := newVoteApp(t, &memoryQueue{}, func(o *VoteOptions) { o.Ballot = ballot })
	body := bodyOf(t, answer(app, httptest.NewRequest(http.MethodGet, "/", nil)))
	if strings.Contains(body, "<img") || !strings.Contains(body, "&lt;img src=x onerror=a&gt;") ||
		!strings.Contains(body, "&#34;Dogs&#34; &amp; &#39;co&#39; {{.}}") {
		t.Errorf("the labels are not escaped:\n%s", body)
	}
}

func TestCompression(t *testing.T) {
	app := newVoteApp(t, &memoryQueue{}, nil)
	plain := bodyOf(t, answer(app, httptest.NewRequest(http.MethodGet, "/", nil)))
	for accept, compressed := range map[string]bool{"": false, "gzip": true, "deflate, gzip;q=0.5, br": true, "gzip;q=0": false,
		"gzip; q=0.000": false, "br": false, "x-gzip-like": false, "GZIP": true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		response := answer(app, r)
		if got := response.Header.Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("Accept-Encoding %q: compressed %v, want %v", accept, got, compressed)
			continue
		}
		if !compressed {
			continue
		}
		reader, err := gzip.NewReader(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(reader); err != nil || string(unpacked) != plain {
			t.Errorf("Accept-Encoding %q: unpacked it is another page (%v)", accept, err)
		}
	}
}

func TestNewVoteAppRefusesAShortKey(t *testing.T) {
	if _, err := NewVoteApp(VoteOptions{Queue: &memoryQueue{}, Key: testKey[:31]}); err == nil {
		t.Error("a key of 31 bytes is accepted")
	}
}

func BenchmarkVote(b *testing.B) {
	app := newVoteApp(b, discard{}, nil)
	cookie := newcomer(b, app)
	b.ReportAllocs()
	for b.Loop() {
		r := form("vote=a", cookie)
		app.ServeHTTP(httptest.NewRecorder(), r)
	}
}

type discard struct{}

func (discard) Append(context.Context, poll.Vote) error { return nil }
func (discard) CheckWritable(context.Context) error     { return nil }
func (discard) CheckAccepts(context.Context) error      { return nil }
