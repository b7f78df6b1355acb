package chaos

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
)

// outcomes is a set of choices, None included: what the tally may have of a voter.
type outcomes uint8

func outcome(choice poll.Choice) outcomes {
	switch choice {
	case poll.A:
		return 1
	case poll.B:
		return 2
	}
	return 4
}

func (o outcomes) allow(choice poll.Choice) bool { return o&outcome(choice) != 0 }

// certain reports whether there is only one.
func (o outcomes) certain() bool { return o&(o-1) == 0 }

func (o outcomes) String() string {
	var names []string
	for _, choice := range []poll.Choice{poll.A, poll.B, poll.None} {
		if o.allow(choice) {
			names = append(names, map[poll.Choice]string{poll.A: "a", poll.B: "b", poll.None: "no vote"}[choice])
		}
	}
	return strings.Join(names, " or ")
}

// voter is one voter with a browser, and the books about the votes.
type voter struct {
	id     poll.VoterID
	cookie string
	// may is what the tally may have: after a vote that was acknowledged, that one alone; after one that was not, that one,
	// too.
	may outcomes
}

// anotherChoice is not the one that the voter is counted with by now, so that a lost vote shows; any, if that is not certain.
func (v *voter) anotherChoice(random *rand.Rand) poll.Choice {
	switch v.may {
	case outcome(poll.A):
		return poll.B
	case outcome(poll.B):
		return poll.A
	}
	return poll.Choices()[random.IntN(2)]
}

// errUncertain is wrapped by the errors after which a vote may have been taken or not.
var errUncertain = errors.New("the vote may be taken or not")

// newVoter opens the vote page for the first time.
func newVoter(ctx context.Context, client *http.Client, frontend string) (*voter, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, frontend, nil)
	if err != nil {
		return nil, err
	}
	v := &voter{may: outcome(poll.None)}
	status, _, err := v.send(client, request)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK || v.cookie == "" {
		return nil, fmt.Errorf("the vote page was answered with %d and the cookie %q", status, v.cookie)
	}
	return v, nil
}

// vote votes and keeps the books. It returns nil if the vote was acknowledged, an error that wraps errUncertain if not, and
// another error if the answer should not be.
func (v *voter) vote(ctx context.Context, client *http.Client, frontend string, choice poll.Choice) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, frontend, strings.NewReader("vote="+choice.String()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.AddCookie(&http.Cookie{Name: "voter", Value: v.cookie})
	v.may |= outcome(choice)
	status, page, err := v.send(client, request)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errUncertain, err)
	case status == http.StatusOK && strings.Contains(page, "Thank you!"):
		v.may = outcome(choice)
		return nil
	case status == http.StatusServiceUnavailable && strings.Contains(page, "choose again") && !strings.Contains(page, "Thank you!"):
		return fmt.Errorf("%w: the page says that it was not taken", errUncertain)
	}
	return fmt.Errorf("the vote was answered with %d:\n%s", status, page)
}

// send sends a request as a browser does: it takes the cookie that comes back. An error means that no whole answer came.
func (v *voter) send(client *http.Client, request *http.Request) (status int, page string, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	for _, cookie := range response.Cookies() {
		if cookie.Name == "voter" {
			v.cookie = cookie.Value
			content, err := base64.RawURLEncoding.DecodeString(cookie.Value)
			if err != nil || len(content) < 17 {
				return 0, "", fmt.Errorf("the cookie is %q (%w)", cookie.Value, err)
			}
			id := poll.VoterID(content[1:17])
			if v.id != id && !v.id.IsZero() {
				return 0, "", fmt.Errorf("the voter %x became another one, %x", v.id[:], id[:])
			}
			v.id = id
		}
	}
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// newClient is a browser's side of HTTP that waits so long for an answer.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
}

// checkBooks compares what is stored with the voters' books, and the results page with what is stored.
func (s *system) checkBooks(t testing.TB, voters []*voter) (counted poll.Tally) {
	t.Helper()
	stored := s.stored(t)
	known := map[poll.VoterID]bool{}
	wrong := 0
	for _, v := range voters {
		known[v.id] = true
		if got := stored[v.id]; !v.may.allow(got) {
			if wrong++; wrong <= 10 {
				t.Errorf("a voter counts as %s, and by the books it is %s", outcome(got), v.may)
			}
		}
	}
	if wrong > 10 {
		t.Errorf("%d voters in all are not counted as they should be", wrong)
	}
	for id, choice := range stored {
		if !known[id] {
			t.Errorf("somebody who is no voter counts as %s", choice)
		}
		switch choice {
		case poll.A:
			counted.A++
		case poll.B:
			counted.B++
		}
	}
	if s.results != nil {
		s.wantTallyShown(t, counted)
	}
	return counted
}
