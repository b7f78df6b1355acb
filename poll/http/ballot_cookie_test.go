package http

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
)

// clockApp is a vote page whose voters need a ballot of a second, and its clock.
func clockApp(t testing.TB, queue poll.Queue) (*VoteApp, *time.Time) {
	t.Helper()
	now := time.UnixMilli(1_000_000_000_000)
	return newVoteApp(t, queue, func(options *VoteOptions) {
		options.BallotAge = time.Second
		options.Now = func() time.Time { return now }
	}), &now
}

// browser keeps cookies by name, as they are set.
type browser map[string]string

// ask sends a request with the cookies, and keeps those of the answer. It returns the status and the page.
func (b browser) ask(t testing.TB, app http.Handler, r *http.Request) (int, string) {
	t.Helper()
	for name, value := range b {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response := answer(app, r)
	for _, cookie := range response.Cookies() {
		b[cookie.Name] = cookie.Value
	}
	return response.StatusCode, bodyOf(t, response)
}

func (b browser) look(t testing.TB, app http.Handler) {
	t.Helper()
	if status, page := b.ask(t, app, httptest.NewRequest(http.MethodGet, "/", nil)); status != http.StatusOK {
		t.Fatalf("the page is answered with %d:\n%s", status, page)
	}
}

func (b browser) vote(t testing.TB, app http.Handler, choice string) (int, string) {
	t.Helper()
	return b.ask(t, app, form("vote="+choice))
}

// counted checks whether a vote is taken. If not, the page has to say why, and offer the choice again.
func (b browser) counted(t testing.TB, app http.Handler, choice, label, want string) {
	t.Helper()
	status, page := b.vote(t, app, choice)
	if want == "" {
		if status != http.StatusOK || !strings.Contains(page, "Thank you!") {
			t.Errorf("the vote is answered with %d, want thanks:\n%s", status, page)
		}
		return
	}
	if status != http.StatusConflict || !strings.Contains(page, want) || !strings.Contains(page, "Please choose "+label+" again.") ||
		!strings.Contains(page, `value="`+choice+`"`) || strings.Count(page, "autofocus") != 1 {
		t.Errorf("the vote is answered with %d, want a conflict that says %q, and the choice again:\n%s", status, want, page)
	}
}

const (
	early = "sooner than anybody can read a ballot"
	stale = "This is a fresh one"
)

// TestVoteNeedsABallotOfItsTime holds that a vote counts from a second to a day after the ballot was handed out.
func TestVoteNeedsABallotOfItsTime(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{0, early}, {999 * time.Millisecond, early}, {time.Second, ""}, {time.Hour, ""}, {24 * time.Hour, ""},
		{24*time.Hour + time.Microsecond, stale}, {30 * 24 * time.Hour, stale},
		// The clock of another frontend, which handed it out, is ahead.
		{-999 * time.Millisecond, early}, {-time.Second, ""}, {-time.Hour, ""},
	} {
		t.Run(test.after.String(), func(t *testing.T) {
			queue := &memoryQueue{}
			app, now := clockApp(t, queue)
			voter := browser{}
			voter.look(t, app)
			*now = now.Add(test.after)
			voter.counted(t, app, "b", "Dogs", test.want)
			if (len(queue.votes) == 1) != (test.want == "") {
				t.Errorf("%d votes are queued", len(queue.votes))
			}
			if test.want == "" {
				return
			}
			// Whatever was wrong, the same voter is counted a second later.
			*now = now.Add(time.Second + 999*time.Millisecond)
			voter.counted(t, app, "b", "Dogs", "")
			if len(queue.votes) != 1 || queue.votes[0].Choice != poll.B {
				t.Errorf("queued: %v", queue.votes)
			}
		})
	}
}

// TestOnlyTheVotersOwnBallotCounts holds that another voter's ballot, one made by hand, and one that another site added do not help, and
// that the last of them does not harm.
func TestOnlyTheVotersOwnBallotCounts(t *testing.T) {
	queue := &memoryQueue{}
	app, now := clockApp(t, queue)
	voter, other := browser{}, browser{}
	voter.look(t, app)
	other.look(t, app)
	*now = now.Add(time.Minute)
	own := voter[ballotCookieName]
	for name, ballot := range map[string]string{
		"another voter's": other[ballotCookieName], "the voter's card": voter[cookieName], "empty": "", "no base64": "%", "cut": own[:len(own)-1], "longer": own + "A",
		"a changed time": "A" + own[1:6] + "A" + own[7:], "of zeros": strings.Repeat("A", len(own)),
	} {
		forged := browser{cookieName: voter[cookieName], ballotCookieName: ballot}
		t.Run(name, func(t *testing.T) { forged.counted(t, app, "a", "Cats", stale) })
	}
	without := browser{cookieName: voter[cookieName]}
	without.counted(t, app, "a", "Cats", stale)
	if len(queue.votes) != 0 {
		t.Fatalf("queued: %v", queue.votes)
	}

	r := form("vote=a", voter[cookieName])
	for _, value := range []string{"", "junk", other[ballotCookieName], own} {
		r.AddCookie(&http.Cookie{Name: ballotCookieName, Value: value})
	}
	if response := answer(app, r); response.StatusCode != http.StatusOK {
		t.Errorf("with foreign cookies besides: %d", response.StatusCode)
	}
}

// TestBallotIsRenewedOnceItIsOld holds that loading the page again or voting again within the hour makes nobody wait again, that a page of
// today is good for most of a day, and that a voter with a cookie of an earlier release stays the same voter.
func TestBallotIsRenewedOnceItIsOld(t *testing.T) {
	queue := &memoryQueue{}
	app, now := clockApp(t, queue)
	voter := browser{}
	voter.look(t, app)
	*now = now.Add(59 * time.Minute)
	voter.look(t, app)
	voter.counted(t, app, "a", "Cats", "")
	voter.counted(t, app, "b", "Dogs", "") // pressed twice, or changed at once
	*now = now.Add(20 * 24 * time.Hour)
	voter.look(t, app)
	voter.counted(t, app, "a", "Cats", early)
	*now = now.Add(23 * time.Hour)
	voter.counted(t, app, "a", "Cats", "")

	delete(voter, ballotCookieName)
	voter.look(t, app)
	*now = now.Add(time.Second)
	voter.counted(t, app, "b", "Dogs", "")
	for _, vote := range queue.votes {
		if vote.Voter != queue.votes[0].Voter {
			t.Errorf("votes of several voters: %v", queue.votes)
		}
	}
	if len(queue.votes) != 4 {
		t.Errorf("queued: %v", queue.votes)
	}
}

// TestLoadingThePageAgainTakesNoNewWait holds so for the shortest wait and the longest. Each page that is loaded is good for most of a day.
func TestLoadingThePageAgainTakesNoNewWait(t *testing.T) {
	for _, wait := range []time.Duration{time.Second, 10 * time.Minute, time.Hour} {
		t.Run(wait.String(), func(t *testing.T) {
			queue := &memoryQueue{}
			now := time.UnixMilli(1_000_000_000_000)
			app := newVoteApp(t, queue, func(options *VoteOptions) {
				options.BallotAge = wait
				options.Now = func() time.Time { return now }
			})
			voter := browser{}
			voter.look(t, app)
			now = now.Add(wait - time.Millisecond)
			voter.look(t, app)
			voter.counted(t, app, "a", "Cats", early)
			for _, pause := range []time.Duration{time.Millisecond, 61 * time.Minute, time.Minute, 23*time.Hour - time.Minute, 24*time.Hour - wait} {
				now = now.Add(pause)
				voter.look(t, app)
				voter.counted(t, app, "b", "Dogs", "")
			}
			now = now.Add(23 * time.Hour)
			voter.counted(t, app, "a", "Cats", "")
			now = now.Add(24*time.Hour + time.Minute)
			voter.look(t, app)
			voter.counted(t, app, "b", "Dogs", early)
			if len(queue.votes) != 6 {
				t.Errorf("%d votes are queued, want 6", len(queue.votes))
			}
		})
	}
}

// TestStuffingNeedsAWait holds that a client without cookies, which takes the cookies of each answer for the next vote, is not counted.
func TestStuffingNeedsAWait(t *testing.T) {
	queue := &memoryQueue{}
	app, _ := clockApp(t, queue)
	for range 10 {
		client := browser{}
		client.vote(t, app, "a") // makes a new voter
		client.counted(t, app, "a", "Cats", early)
	}
	if len(queue.votes) != 0 {
		t.Errorf("queued: %v", queue.votes)
	}
}

// TestBallotCookieIsAsSafeAsTheVoters holds its attributes, by http and by https.
func TestBallotCookieIsAsSafeAsTheVoters(t *testing.T) {
	app, _ := clockApp(t, &memoryQueue{})
	for _, test := range []struct {
		proto, name string
		secure      bool
	}{{"http", "ballot", false}, {"https", "__Host-ballot", true}} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Forwarded-Proto", test.proto)
		found := false
		for _, cookie := range answer(app, r).Cookies() {
			if cookie.Name != test.name {
				continue
			}
			found = true
			if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure != test.secure || cookie.Path != "/" || cookie.Domain != "" ||
				cookie.MaxAge != 24*60*60 {
				t.Errorf("%s: %v", test.proto, cookie)
			}
		}
		if !found {
			t.Errorf("%s: no cookie %s", test.proto, test.name)
		}
	}
}
