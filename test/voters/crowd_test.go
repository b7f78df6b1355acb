package voters

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"swarm-scale/lab/names"
	"swarm-scale/poll"
	pollhttp "swarm-scale/poll/http"
	"swarm-scale/test/eventually"
)

// queue keeps each voter's latest vote. While it is broken it refuses votes, every second one after it has taken it.
type queue struct {
	mu      sync.Mutex
	latest  map[poll.VoterID]poll.Vote
	refused int
	broken  atomic.Bool
}

func (q *queue) Append(_ context.Context, vote poll.Vote) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken.Load() {
		q.refused++
		if q.refused%2 == 0 {
			return errors.New("broken, and the vote was not taken")
		}
	}
	if vote.Supersedes(q.latest[vote.Voter]) {
		q.latest[vote.Voter] = vote
	}
	if q.broken.Load() {
		return errors.New("broken, but the vote was taken")
	}
	return nil
}

func (q *queue) CheckWritable(context.Context) error { return nil }
func (q *queue) CheckAccepts(context.Context) error  { return nil }

func (q *queue) tally() (tally poll.Tally) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, vote := range q.latest {
		if vote.Choice == poll.A {
			tally.A++
		} else {
			tally.B++
		}
	}
	return tally
}

// stored is each voter's choice.
func (q *queue) stored() map[poll.VoterID]poll.Choice {
	q.mu.Lock()
	defer q.mu.Unlock()
	choices := map[poll.VoterID]poll.Choice{}
	for voter, vote := range q.latest {
		choices[voter] = vote.Choice
	}
	return choices
}

// lose loses a vote.
func (q *queue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for voter := range q.latest {
		delete(q.latest, voter)
		return
	}
}

// startPoll serves the real vote page on a queue, and the queue's tally as results.
func startPoll(t *testing.T) (*queue, Site) {
	t.Helper()
	return startPollWithBallots(t, 0)
}

// startPollWithBallots is startPoll with a vote page that takes no vote from a younger ballot.
func startPollWithBallots(t *testing.T, age time.Duration) (*queue, Site) {
	t.Helper()
	ballot, err := poll.NewBallot("Cats", "Dogs")
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{latest: map[poll.VoterID]poll.Vote{}}
	app, err := pollhttp.NewVoteApp(pollhttp.VoteOptions{Ballot: ballot, Queue: q, Key: []byte(strings.Repeat("k", 32)), Container: "frontend01", BallotAge: age})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.HandleFunc("/results.json", func(w http.ResponseWriter, _ *http.Request) {
		tally := q.tally()
		_ = json.NewEncoder(w).Encode(map[string]any{"live": true, "total": tally.Total(),
			"options": []any{map[string]any{"id": "a", "votes": tally.A}, map[string]any{"id": "b", "votes": tally.B}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return q, Site{URL: server.URL, Host: "votingapp.local"}
}

func newCrowd(site Site) *Crowd {
	return NewCrowd(Options{Sites: []Site{site}, Returning: 0.3})
}

// After failures, and once nobody is in doubt, the books allow only what the poll has.
func TestBooksAreExactOnceSettled(t *testing.T) {
	q, site := startPoll(t)
	c := newCrowd(site)
	calm := c.Vote(t.Context(), 100)
	if calm.Bad != 0 || calm.Good < 150 || calm.Containers["frontend01"] != calm.Good {
		t.Errorf("on a poll that works: %s", calm)
	}
	campaign := c.Start(t.Context(), 4, time.Millisecond)
	await := func(what string, condition func(Observation) bool) {
		t.Helper()
		eventually.Succeeds(t, 20*time.Second, what, func() error {
			if seen := campaign.Now(); !condition(seen) {
				return errors.New(seen.String())
			}
			return nil
		})
	}
	await("votes are taken", func(seen Observation) bool { return seen.Votes().Good >= 20 })
	broken := time.Now()
	q.broken.Store(true)
	await("votes are refused for a while", func(seen Observation) bool {
		return seen.Failures["vote: 503"] >= 20 && seen.Trouble >= 100*time.Millisecond
	})
	during := campaign.Now().Since(broken)
	q.broken.Store(false)
	repaired := time.Now()
	await("votes are taken again", func(seen Observation) bool { return seen.Since(repaired).Votes().Good >= 20 })
	seen := campaign.Stop()
	if during.Bad == 0 || seen.Bad < during.Bad || seen.Trouble > time.Since(broken) || len(seen.Unexpected) > 0 {
		t.Errorf("while votes were refused: %s; in all: %s, trouble %s", during, seen, seen.Trouble)
	}
	if seen.Silence > seen.Since(broken).Silence+time.Since(broken) {
		t.Errorf("pages were good all the time, but the silence is %s", seen.Silence)
	}
	if _, exact := c.Books().Bounds().Exact(); exact {
		t.Error("nobody is in doubt after votes that were refused")
	}
	if err := c.Books().Bounds().Check(q.tally()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	tally, exact := c.Books().Bounds().Exact()
	if got := q.tally(); !exact || got != tally || tally.A == 0 || tally.B == 0 {
		t.Errorf("the poll has %+v, the books %s", got, c.Books().Bounds())
	}
	if _, err := c.Books().AwaitResults(ctx, site.URL, time.Second); err != nil {
		t.Error(err)
	}
	stored := q.stored()
	if err := c.Books().Compare(stored); err != nil || TallyOf(stored) != tally {
		t.Errorf("%v; stored are %+v, want %+v", err, TallyOf(stored), tally)
	}

	q.lose()
	if _, err := c.Books().AwaitResults(ctx, site.URL, 0); err == nil {
		t.Error("a lost vote is not seen in the tally")
	}
	if c.Books().Compare(q.stored()) == nil {
		t.Error("a lost vote is not seen among the voters")
	}
}

// hanging has nothing take a connection at an address, nor refuse it: the queue of connections there is full.
func hanging(t *testing.T, address string) {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	at := netip.MustParseAddrPort(address)
	if err := errors.Join(
		syscall.Bind(socket, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}), syscall.Listen(socket, 0),
	); err != nil {
		t.Fatal(err)
	}
	for {
		connection, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = connection.Close() })
	}
}

// TestVotersTryEachAddressOfAName holds that a voter goes on from an address that is dead to the next one, and asks for the name again for
// each connection.
func TestVotersTryEachAddressOfAName(t *testing.T) {
	_, site := startPoll(t)
	address, err := netip.ParseAddrPort(strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(int(address.Port()))
	hanging(t, "127.0.0.2:"+port)
	server, err := names.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	const name = "votingapp.local.test"
	alive, silent, refusing := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	for _, test := range []struct {
		name      string
		addresses []netip.Addr
		least     time.Duration
		failure   string
	}{
		{"the one", []netip.Addr{alive}, 0, ""},
		{"a silent one first", []netip.Addr{silent, alive}, 900 * time.Millisecond, ""},
		{"a refusing one first", []netip.Addr{refusing, alive}, 0, ""},
		{"both", []netip.Addr{silent, refusing, alive}, 900 * time.Millisecond, ""},
		{"no good one", []netip.Addr{silent, refusing}, 900 * time.Millisecond, "page: connection refused"},
		{"no such name", nil, 0, "no such host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := NewCrowd(Options{Sites: []Site{{URL: "http://" + name + ":" + port, Host: site.Host}}, Resolver: server.Resolver()})
			server.Set(name, test.addresses...)
			begun := time.Now()
			seen := c.Look(t.Context(), 1)
			took := time.Since(begun)
			if test.failure == "" && seen.Good != 1 || test.failure != "" && !strings.Contains(seen.String(), test.failure) {
				t.Errorf("the page: %s, want %q", seen, test.failure)
			}
			if most := test.least + 3*time.Second; took < test.least || took > most {
				t.Errorf("it took %s, want %s to %s", took, test.least, most)
			}
			// The results are read by the same way.
			server.Set(name, test.addresses...)
			if _, err := c.ReadResults(t.Context(), Site{URL: "http://" + name + ":" + port}); (err == nil) != (test.failure == "") {
				t.Errorf("the results: %v, want %q", err, test.failure)
			}
		})
	}
}

// TestResultsAreReadUnderTheirName holds that the page is asked for under the name of the site.
func TestResultsAreReadUnderTheirName(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "results.local" {
			http.Error(w, r.Host, http.StatusMisdirectedRequest)
			return
		}
		_, _ = w.Write([]byte(`{"live": true, "total": 1, "options": [{"id": "a", "votes": 1}, {"id": "b", "votes": 0}]}`))
	}))
	defer server.Close()
	c := NewCrowd(Options{})
	c.Count(poll.A)
	if _, err := c.AwaitResults(t.Context(), Site{URL: server.URL, Host: "results.local"}, time.Second); err != nil {
		t.Error(err)
	}
	if _, err := c.AwaitResults(t.Context(), Site{URL: server.URL}, 0); err == nil {
		t.Error("the results came under another name")
	}
	c.Count(poll.B)
	if _, err := c.AwaitResults(t.Context(), Site{URL: server.URL, Host: "results.local"}, 0); err == nil {
		t.Error("a lost vote is not seen")
	}
}

// While a poll does not answer, the silence lasts.
func TestSilence(t *testing.T) {
	_, site := startPoll(t)
	if seen := newCrowd(site).Vote(t.Context(), 3); seen.Bad != 0 {
		t.Fatal(seen)
	}
	gone := newCrowd(Site{URL: "http://127.0.0.1:1", Host: site.Host})
	campaign := gone.Start(t.Context(), 2, 10*time.Millisecond)
	eventually.Succeeds(t, 20*time.Second, "there was silence for 200 ms", func() error {
		if seen := campaign.Now(); seen.Silence < 200*time.Millisecond || seen.Bad == 0 {
			return errors.New(seen.String())
		}
		return nil
	})
	seen := campaign.Stop()
	if seen.Good != 0 || seen.Failures["page: connection refused"] != seen.Bad {
		t.Errorf("of a poll that is not there: %s", seen)
	}
	if bounds := gone.Books().Bounds(); bounds != (Bounds{}) {
		t.Errorf("nobody voted, and the books allow %s", bounds)
	}
}

func TestObservation(t *testing.T) {
	begun := time.Now()
	at := func(request string, kind Kind, reason string, from, to time.Duration) Answer {
		return Answer{Request: request, Kind: kind, Reason: reason, Container: "frontend01", Begun: begun.Add(from), End: begun.Add(to)}
	}
	o := observe([]Answer{
		at("page", Good, "", 0, time.Second),
		at("vote", Refused, "503", 2*time.Second, 4*time.Second),
		at("vote", Unexpected, "500", 4*time.Second, 5*time.Second),
		at("vote", Good, "", 3*time.Second, 6*time.Second),
	}, begun, begun.Add(7*time.Second))
	const want = "4 answers, 2 failures, longest without a good answer 5.00 s (vote: 500 ×1, vote: 503 ×1, within 3.0 s)"
	if got := o.String(); got != want || o.Slowest != 3*time.Second || o.Containers["frontend01"] != 2 || len(o.Unexpected) != 1 {
		t.Errorf("%+v\nis %s\nwant %s", o, got, want)
	}
	if votes := o.Votes(); votes.Good != 1 || votes.Bad != 2 || votes.Silence != 6*time.Second {
		t.Errorf("of the votes: %s", votes)
	}
	if later := o.Since(begun.Add(5 * time.Second)); later.Good != 1 || later.Bad != 0 || later.Silence != time.Second {
		t.Errorf("after 5 s: %s", later)
	}
}

// TestVotersReadTheBallot holds that a voter waits for as long as the vote page wants, once, and that one who gives up has not voted.
func TestVotersReadTheBallot(t *testing.T) {
	_, site := startPollWithBallots(t, time.Second)
	var books Books
	v, err := books.NewVoter()
	if err != nil {
		t.Fatal(err)
	}
	if answer := v.Look(t.Context(), site); answer.Err() != nil {
		t.Fatal(answer.Err())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if answer := v.Vote(gone, site, poll.A); answer.Kind != Unanswered || v.Possible() != Only(poll.None) {
		t.Errorf("a voter who gives up: %v; possible are %s", answer.Err(), v.Possible())
	}
	for _, choice := range poll.Choices() {
		if answer := v.Vote(t.Context(), site, choice); answer.Err() != nil {
			t.Errorf("a vote for %s: %v", choice, answer.Err())
		}
	}
}

func TestAnswerKinds(t *testing.T) {
	_, site := startPoll(t)
	var books Books
	newVoter := func() *Voter {
		v, err := books.NewVoter()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := newVoter()
	if answer := v.Look(t.Context(), site); answer.Kind != Good || answer.Container != "frontend01" || v.ID().IsZero() || v.Cookie() == nil {
		t.Errorf("the page: %+v of voter %s with the cookie %v", answer, v.ID(), v.Cookie())
	}
	id := v.ID()
	for _, choice := range poll.Choices() {
		if answer := v.Vote(t.Context(), site, choice); answer.Err() != nil || v.Possible() != Only(choice) || v.ID() != id {
			t.Errorf("a vote for %s: %v; possible are %s", choice, answer.Err(), v.Possible())
		}
	}
	if answer := newVoter().Vote(t.Context(), site, poll.A); answer.Kind != Unexpected || answer.Reason != "409" {
		t.Errorf("a vote without a cookie: %v, want 409", answer.Err())
	}
	if answer := v.Look(t.Context(), Site{URL: site.URL + "/results.json"}); answer.Kind != Unexpected {
		t.Errorf("no vote page: %v", answer.Err())
	}
	testOver := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-testOver }))
	defer hanging.Close()
	defer close(testOver)
	v.Patience = 50 * time.Millisecond
	answer := v.Vote(t.Context(), Site{URL: hanging.URL, Host: site.Host}, poll.A)
	if answer.Kind != Unanswered || answer.Reason != "no answer in time" || v.Possible() != Only(poll.A)|Only(poll.B) {
		t.Errorf("a page that hangs: %v; possible are %s", answer.Err(), v.Possible())
	}
}
