package http

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"swarm-scale/poll"
)

// hostile is what strangers write into fields.
var hostile = []string{
	"",
	"a", "b", "A", "a ", " a", "ab", "a\x00", "\xff\xfe", "á", "ａ",
	"' OR '1'='1", "a'; DROP TABLE votes; --", "1); DELETE FROM tally; --", `a","choice":"b`,
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "javascript:alert(1)", "{{.}}", "${7*7}",
	"a\r\nSet-Cookie: voter=x", "a\r\nXADD votes * choice a\r\n", "../../etc/passwd", "%00", "%zz", "%61",
	strings.Repeat("a", 5000),
}

// isOurPage reports whether a body is, byte for byte, one of the pages that were made at the start: then nothing that a
// request brought can be in it.
func isOurPage(app *VoteApp, body []byte) bool {
	for _, page := range app.ballots {
		if bytes.Equal(body, page.plain) {
			return true
		}
	}
	return bytes.Equal(body, app.common.notFound.plain) || bytes.Equal(body, app.common.wrongMethod.plain)
}

// countsAs is the choice that a form stands for, by the standard library's reading; none if it is no vote.
func countsAs(body string) poll.Choice {
	values, err := url.ParseQuery(body)
	if err != nil || len(values["vote"]) != 1 {
		return poll.None
	}
	choice, err := poll.ParseChoice(values["vote"][0])
	if err != nil {
		return poll.None
	}
	return choice
}

// Whatever is in any field, the page is one of ours, and it is a vote only if it reads as one.
func TestHostileFields(t *testing.T) {
	queue := &memoryQueue{}
	app := newVoteApp(t, queue, nil)
	for _, field := range []string{"body", "vote", "name", "cookie", "second cookie", "query", "Host", "User-Agent", "Referer",
		"Accept-Encoding", "X-Forwarded-For", "X-Forwarded-Proto", "Content-Type", "Accept-Language"} {
		for _, text := range hostile {
			queue.votes = nil
			r := form("vote=a", newcomer(t, app))
			want := poll.A
			replaceBody := func(body string) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				if want = countsAs(body); len(body) > maxBody {
					want = poll.None
				}
			}
			switch field {
			case "body":
				replaceBody(text)
			case "vote":
				replaceBody("vote=" + url.QueryEscape(text))
			case "name":
				replaceBody("vote=a&" + url.QueryEscape(text) + "=" + url.QueryEscape(text))
			case "cookie":
				r.Header.Set("Cookie", "voter="+text)
				want = poll.None
			case "second cookie":
				r.Header.Add("Cookie", "voter="+text)
				want = poll.None
			case "query":
				r.URL.RawQuery = text
			case "Host":
				r.Host = text
			case "Content-Type":
				r.Header.Set(field, text)
				want = poll.None
			default:
				r.Header.Set(field, text)
			}
			response := answer(app, r)
			body := []byte(bodyOf(t, response))
			if !isOurPage(app, body) {
				t.Errorf("%s %.30q: the page is not one of ours:\n%s", field, text, body)
			}
			got := poll.None
			if len(queue.votes) == 1 {
				got = queue.votes[0].Choice
			}
			// A second cookie that no browser and no server takes for one is none.
			if field == "second cookie" && got == poll.A && len(r.CookiesNamed(cookieName)) == 1 {
				continue
			}
			if got != want || len(queue.votes) > 1 || (got != poll.None) != (response.StatusCode == http.StatusOK) {
				t.Errorf("%s %.30q: answered with %d and %d votes, for %q, want %q", field, text, response.StatusCode, len(queue.votes), got, want)
			}
		}
	}
}

// A request by chance never breaks the page, is never a vote unless it reads as one, and comes back in no answer.
func FuzzVote(f *testing.F) {
	queue := &memoryQueue{}
	app := newVoteApp(f, queue, nil)
	own := app.seal.write(voterCard{voter: poll.VoterID{1}}) // the same in all processes of the fuzzer
	for _, text := range hostile {
		f.Add("vote="+text, "application/x-www-form-urlencoded", "", text)
		f.Add(text, text, text, "")
	}
	f.Add("vote=a&vote=b", "application/x-www-form-urlencoded; charset=utf-8", own, "x")
	f.Add("vote=a;vote=b", "APPLICATION/X-WWW-FORM-URLENCODED", own[:20], own)
	f.Add("%76ote=%61", "application/x-www-form-urlencoded", "", "http://localhost")
	f.Fuzz(func(t *testing.T, body, contentType, cookie, header string) {
		queue.votes = nil
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Cookie", "voter="+own)
		if cookie != "" {
			r.Header.Set("Cookie", "voter="+cookie)
		}
		r.Header.Set("Referer", header)
		r.Header.Set("Accept-Language", header)
		recorder := httptest.NewRecorder()
		app.ServeHTTP(recorder, r)
		if !isOurPage(app, recorder.Body.Bytes()) {
			t.Fatalf("the page is not one of ours:\n%s", recorder.Body)
		}
		counts := len(queue.votes) == 1 && recorder.Code == http.StatusOK
		if !counts && (len(queue.votes) != 0 || recorder.Code < 400 || recorder.Code >= 500) {
			t.Fatalf("answered with %d, and %d votes were queued", recorder.Code, len(queue.votes))
		}
		if counts && (queue.votes[0].Choice != countsAs(body) || len(body) > maxBody) {
			t.Fatalf("%q counts as %q", body, queue.votes[0].Choice)
		}
		if counts && r.CookiesNamed(cookieName)[0].Value != own {
			t.Fatalf("the cookie %q, which is not one of ours, is taken for one", cookie)
		}
	})
}
