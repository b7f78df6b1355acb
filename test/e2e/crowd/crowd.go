// Package crowd is voters who vote at a running poll as browsers do, and who keep books: what was answered with success
// has to be counted, with each voter's latest choice, and what was answered with an error or not at all may be counted or
// not.
//
//	voters := crowd.New(crowd.Site{Address: "192.168.33.12:80", Host: "votingapp.local"})
//	campaign := voters.Start(ctx, 8, 50*time.Millisecond)
//	...                        // something happens to the poll
//	seen := campaign.Stop()    // what the voters saw of it
//	err := voters.Settle(ctx)  // who is in doubt votes again
//	a, b := voters.Tally()     // what the results have to be, exactly
package crowd

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// patience is how long a voter waits for an answer. Longer than the vote page takes to say that it cannot take a vote now.
const patience = 6 * time.Second

// Site is where a poll is.
type Site struct {
	Address string // host:port that is connected to, such as the load balancer's
	Host    string // the site's name, as it stands in a browser's address bar
}

// Crowd is all voters of a poll. Its methods can be called side by side.
type Crowd struct {
	site      Site
	transport *http.Transport

	mu     sync.Mutex
	voters []*voter
}

// voter is one browser.
type voter struct {
	client *http.Client

	mu       sync.Mutex
	choice   string // the latest acknowledged one: "a", "b", or "" for none
	inDoubt  bool   // a later one was sent and not acknowledged
	hasVoted bool
}

// New gathers a crowd, of nobody yet, in front of a site.
func New(site Site) *Crowd {
	dialer := &net.Dialer{Timeout: patience}
	return &Crowd{site: site, transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, site.Address)
		},
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     5 * time.Second,
	}}
}

// newVoter adds a voter who has not looked at the page yet.
func (c *Crowd) newVoter() (*voter, error) {
	v, err := newBrowser(c.transport)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.voters = append(c.voters, v)
	c.mu.Unlock()
	return v, nil
}

// newBrowser is a browser that has no cookie yet.
func newBrowser(transport http.RoundTripper) (*voter, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &voter{client: &http.Client{Jar: jar, Transport: transport, Timeout: patience}}, nil
}

// someone is a voter who has voted before, nil if there is none.
func (c *Crowd) someone() *voter {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 20 {
		if len(c.voters) == 0 {
			return nil
		}
		if v := c.voters[rand.IntN(len(c.voters))]; v.voted() {
			return v
		}
	}
	return nil
}

func (v *voter) voted() bool {
	if !v.mu.TryLock() {
		return false // it is voting at this moment
	}
	defer v.mu.Unlock()
	return v.hasVoted
}

// Voters is how many voters there are whose votes count, and how many are in doubt.
func (c *Crowd) Voters() (counted, inDoubt int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.voters {
		v.mu.Lock()
		if v.inDoubt {
			inDoubt++
		} else if v.choice != "" {
			counted++
		}
		v.mu.Unlock()
	}
	return counted, inDoubt
}

// Tally is how many voters' latest choice is a and how many b. It is what the poll must show once nobody is in doubt.
func (c *Crowd) Tally() (a, b int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.voters {
		v.mu.Lock()
		switch v.choice {
		case "a":
			a++
		case "b":
			b++
		}
		v.mu.Unlock()
	}
	return a, b
}

// Forget makes the books those of an empty poll: for one whose votes are gone.
func (c *Crowd) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voters = nil
}

// Count takes somebody else's vote into the books.
func (c *Crowd) Count(choice string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voters = append(c.voters, &voter{choice: choice})
}

// Settle has every voter in doubt vote again, until the answer is a success.
func (c *Crowd) Settle(ctx context.Context) error {
	c.mu.Lock()
	var doubtful []*voter
	for _, v := range c.voters {
		v.mu.Lock()
		if v.inDoubt {
			doubtful = append(doubtful, v)
		}
		v.mu.Unlock()
	}
	c.mu.Unlock()
	for _, v := range doubtful {
		for {
			answer := c.vote(ctx, v, randomChoice())
			if answer.Fault == "" {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("a voter in doubt could not vote again: %s", answer.Fault)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// Answer is what came of one request.
type Answer struct {
	Kind      string // "page" or "vote"
	At        time.Time
	Took      time.Duration
	Fault     string // why it was no good answer, such as "503" or "connection refused"; empty for a good one
	Container string // which container answered, by the page's last line
}

func randomChoice() string { return []string{"a", "b"}[rand.IntN(2)] }

// look opens the vote page.
func (c *Crowd) look(ctx context.Context, v *voter) Answer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return c.ask(ctx, v, "page", nil)
}

// vote presses a button, and keeps the books.
func (c *Crowd) vote(ctx context.Context, v *voter, choice string) Answer {
	v.mu.Lock()
	defer v.mu.Unlock()
	answer := c.ask(ctx, v, "vote", url.Values{"vote": {choice}})
	switch {
	case answer.Fault == "":
		v.choice, v.inDoubt, v.hasVoted = choice, false, true
	case answer.Fault == "409": // the page had not told who is voting: not counted, and the cookie is there now
	default:
		v.inDoubt, v.hasVoted = true, true
	}
	return answer
}

var containerLine = regexp.MustCompile(`Answered by container (\w+)`)

// ask sends one request; a form makes it a vote.
func (c *Crowd) ask(ctx context.Context, v *voter, kind string, form url.Values) (answer Answer) {
	answer.Kind = kind
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	begun := time.Now()
	defer func() {
		answer.At = time.Now()
		answer.Took = answer.At.Sub(begun)
	}()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.site.Host+"/", body)
	if err != nil {
		answer.Fault = err.Error()
		return answer
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := v.client.Do(request)
	if err != nil {
		answer.Fault = reason(err)
		return answer
	}
	page, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end, or the connection is broken
	if found := containerLine.FindSubmatch(page); found != nil {
		answer.Container = string(found[1])
	}
	switch {
	case response.StatusCode != http.StatusOK:
		answer.Fault = fmt.Sprint(response.StatusCode)
	case err != nil:
		answer.Fault = reason(err)
	case answer.Container == "":
		answer.Fault = "not the vote page"
	case form != nil && !strings.Contains(string(page), "Thank you!"):
		answer.Fault = "no thanks for the vote"
	}
	return answer
}

// reason is a failure in a few words, the same for the same kind.
func reason(err error) string {
	text := err.Error()
	for _, known := range []string{"connection refused", "no route to host", "connection reset", "EOF", "context canceled"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
		return "no answer in time"
	}
	return text
}
