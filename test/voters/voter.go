package voters

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"swarm-scale/poll"
)

// Patience is how long a voter waits for an answer: longer than the vote page takes to say that it cannot take a vote.
const Patience = 6 * time.Second

const (
	cookieName       = "voter"  // the voter's cookie
	ballotCookieName = "ballot" // says when the voter got the ballot
	// readingTime is how long a voter reads a new ballot. The vote page takes no vote within a second.
	readingTime = 1100 * time.Millisecond
)

// Site is where a vote page is.
type Site struct {
	// URL is the base URL of what answers, a frontend or a load balancer, such as "http://192.168.33.12:80" or "http://votingapp.local".
	// A crowd tries the addresses of a name in their order. It goes on to the next one if one does not take the connection within a second.
	URL string
	// Host is the Host header, such as "votingapp.local". Empty stands for the host of URL.
	Host string
}

// Voter is one browser. It keeps its cookie from site to site if their hosts are the same. Its methods can be called
// concurrently; requests are sent one after another.
type Voter struct {
	*Record
	// Patience is how long the voter waits for an answer.
	Patience time.Duration

	transport http.RoundTripper
	busy      sync.Mutex
	jar       *cookiejar.Jar
	cookie    *http.Cookie // the latest
	reads     time.Time    // until then the voter reads the ballot
}

// NewVoter adds a voter with the default Patience to the books. The voter has not opened the vote page.
func (b *Books) NewVoter() (*Voter, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Voter{Record: b.Open(), Patience: Patience, transport: http.DefaultTransport, jar: jar}, nil
}

// Cookie is the voter's cookie, nil before the first answer.
func (v *Voter) Cookie() *http.Cookie {
	v.busy.Lock()
	defer v.busy.Unlock()
	return v.cookie
}

// Kind says what became of a request.
type Kind int

const (
	// Good is the page that was asked for; a vote is acknowledged.
	Good Kind = iota
	// Refused is the vote page's own answer that it cannot take the vote now.
	Refused
	// Unanswered is a request to which no whole answer came.
	Unanswered
	// Unexpected is any other answer.
	Unexpected
)

// Answer is what became of one request.
type Answer struct {
	Request string // "page" or "vote"
	Kind    Kind
	Reason  string // why it is not good, in a few words, such as "503" or "connection refused"
	// Status, Header and Page are the HTTP answer, as far as it came.
	Status int
	Header http.Header
	Page   string
	// Container is who answered, by the last line of the page.
	Container  string
	Begun, End time.Time
}

// Took is how long the voter waited.
func (a Answer) Took() time.Duration { return a.End.Sub(a.Begun) }

// Err is nil for a good answer.
func (a Answer) Err() error {
	if a.Kind == Good {
		return nil
	}
	err := fmt.Errorf("%s: %s", a.Request, a.Reason)
	if a.Kind == Unexpected && a.Page != "" {
		err = fmt.Errorf("%w: answered with %d:\n%s", err, a.Status, a.Page)
	}
	return err
}

// Look opens the vote page.
func (v *Voter) Look(ctx context.Context, site Site) Answer {
	v.busy.Lock()
	defer v.busy.Unlock()
	return v.ask(ctx, site, poll.None)
}

// Vote presses a button of the vote page and keeps the books.
func (v *Voter) Vote(ctx context.Context, site Site, choice poll.Choice) Answer {
	v.busy.Lock()
	defer v.busy.Unlock()
	if err := v.read(ctx); err != nil {
		now := time.Now()
		return Answer{Request: "vote", Kind: Unanswered, Reason: reason(err), Begun: now, End: now}
	}
	v.Sent(choice)
	answer := v.ask(ctx, site, choice)
	if answer.Kind == Good {
		v.Acknowledged(choice)
	}
	return answer
}

// read waits until the voter has read the ballot.
func (v *Voter) read(ctx context.Context) error {
	timer := time.NewTimer(time.Until(v.reads))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// containerLine is in the last line of the vote page.
var containerLine = regexp.MustCompile(`Answered by container (\w+)`)

// ask sends one request: a vote, or for poll.None a look at the page.
func (v *Voter) ask(ctx context.Context, site Site, choice poll.Choice) Answer {
	answer := Answer{Request: "page", Begun: time.Now()}
	if choice != poll.None {
		answer.Request = "vote"
	}
	err := v.exchange(ctx, site, choice, &answer)
	answer.End = time.Now()
	if found := containerLine.FindStringSubmatch(answer.Page); found != nil {
		answer.Container = found[1]
	}
	thanks := strings.Contains(answer.Page, "Thank you!")
	switch {
	case err != nil:
		answer.Kind, answer.Reason = Unanswered, reason(err)
	case answer.Status == http.StatusServiceUnavailable && strings.Contains(answer.Page, "choose again") && !thanks:
		answer.Kind, answer.Reason = Refused, "503"
	case answer.Status != http.StatusOK:
		answer.Kind, answer.Reason = Unexpected, fmt.Sprint(answer.Status)
	case answer.Container == "":
		answer.Kind, answer.Reason = Unexpected, "not the vote page"
	case choice != poll.None && !thanks:
		answer.Kind, answer.Reason = Unexpected, "no thanks for the vote"
	default:
		if err := v.identify(); err != nil {
			answer.Kind, answer.Reason = Unexpected, err.Error()
		}
	}
	return answer
}

// exchange sends the request and reads the answer, with the cookies of the site. An error means that no whole answer came.
func (v *Voter) exchange(ctx context.Context, site Site, choice poll.Choice, answer *Answer) error {
	ctx, cancel := context.WithTimeout(ctx, v.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(site.URL, "/")+"/", nil)
	if err != nil {
		return err
	}
	if choice != poll.None {
		form := strings.NewReader("vote=" + choice.String())
		request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(form), form.Size()
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	page := &url.URL{Scheme: "http", Host: request.URL.Host, Path: "/"}
	if site.Host != "" {
		request.Host, page.Host = site.Host, site.Host
	}
	for _, cookie := range v.jar.Cookies(page) {
		request.AddCookie(cookie)
	}
	response, err := v.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end, or the connection is broken
	v.jar.SetCookies(page, response.Cookies())
	if slices.ContainsFunc(response.Cookies(), func(cookie *http.Cookie) bool { return cookie.Name == ballotCookieName }) {
		v.reads = time.Now().Add(readingTime)
	}
	for _, cookie := range v.jar.Cookies(page) {
		if cookie.Name == cookieName {
			v.cookie = cookie
		}
	}
	body, err := io.ReadAll(response.Body)
	answer.Status, answer.Header, answer.Page = response.StatusCode, response.Header, string(body)
	return err
}

// identify notes in the books whom the cookie names.
func (v *Voter) identify() error {
	if v.cookie == nil {
		return errors.New("no cookie came with the page")
	}
	id, err := ParseCookie(v.cookie.Value)
	if err != nil {
		return err
	}
	return v.Identify(id)
}

// ParseCookie is the voter in the value of a voter's cookie. Its first byte is the cookie's version, and the 16 bytes that
// follow are the voter.
func ParseCookie(value string) (poll.VoterID, error) {
	content, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return poll.VoterID{}, fmt.Errorf("the cookie %q is not base64: %w", value, err)
	}
	if len(content) < 17 {
		return poll.VoterID{}, fmt.Errorf("the cookie %q has %d bytes, want 17 or more", value, len(content))
	}
	return poll.VoterID(content[1:17]), nil
}

// reason is a failure in a few words, the same for the same cause.
func reason(err error) string {
	for _, known := range []struct {
		err  error
		text string
	}{
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.ECONNRESET, "connection reset"},
		{syscall.EHOSTUNREACH, "no route to host"},
		{io.ErrUnexpectedEOF, "EOF"},
		{io.EOF, "EOF"},
		{context.Canceled, "context canceled"},
	} {
		if errors.Is(err, known.err) {
			return known.text
		}
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return "no answer in time"
	}
	return err.Error()
}
