// Package http is what voters and viewers see: the vote page ([VoteApp]) and the live results ([ResultsApp]). Both are
// made from the same layout and style, need nothing from other sites, and work without JavaScript.
package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"swarm-scale/poll"
)

const (
	// appendTimeout is how long the queue may take for one vote, and checkTimeout for the check that it takes writes.
	appendTimeout = 5 * time.Second
	checkTimeout  = 2 * time.Second
	// checkLife is how long the result of a check holds, so that many questions do not make many writes.
	checkLife = time.Second
	// maxWaiting is how many votes may wait for the queue at once. Each takes about 20 KB. When the queue stalls, further voters
	// are refused at once instead of filling this machine's memory.
	maxWaiting = 4096
	// retryAfter is the number of seconds that a voter who was turned away is asked to wait.
	retryAfter = 5
)

// VoteOptions is what the vote page is made of.
type VoteOptions struct {
	Ballot poll.Ballot
	Queue  poll.Queue
	// Key signs the voters' cookies: at least KeySize secret bytes, the same wherever the vote page is served.
	Key []byte
	// Names are the host names that the page has besides those that requests name, in lower case.
	Names []string
	// Container is the name that the last line of the page shows.
	Container string
	Log       *slog.Logger
	Metrics   *VoteMetrics
	// BallotAge is how long a voter has to have had the ballot before a vote is taken. If it is 0 or less, a vote needs no ballot.
	BallotAge time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// VoteApp answers voters.
type VoteApp struct {
	options  VoteOptions
	seal     *seal
	waiting  chan struct{}
	headers  secured
	stopping atomic.Bool
	writable recentCheck // its own queue
	accepts  recentCheck // all that a vote has to be in
	started  atomic.Bool // its queue has taken a write
	common   commonMessages
	ballots  map[ballotState]*page
	mux      *http.ServeMux
	trouble  troubleLog
}

// ballotState is all that a vote page depends on.
type ballotState struct {
	choice poll.Choice
	notice notice
	wanted poll.Choice // that the voter is asked to choose again; poll.None for most notices
}

// NewVoteApp makes the vote page. There are few different pages (three choices times the notices, some with the wanted choice). So all
// are rendered and compressed here, once.
func NewVoteApp(options VoteOptions) (*VoteApp, error) {
	seal, err := newSeal(options.Key)
	if err != nil {
		return nil, err
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Metrics == nil {
		options.Metrics = NewVoteMetrics(nil)
	}
	app := &VoteApp{
		options:  options,
		seal:     seal,
		headers:  newSecured(),
		waiting:  make(chan struct{}, maxWaiting),
		ballots:  map[ballotState]*page{},
		mux:      http.NewServeMux(),
		writable: recentCheck{check: options.Queue.CheckWritable},
		accepts:  recentCheck{check: options.Queue.CheckAccepts},
		trouble:  troubleLog{log: options.Log},
	}
	options.Metrics.watchWaiting(func() float64 { return float64(len(app.waiting)) })
	if err := app.renderPages(); err != nil {
		return nil, err
	}
	app.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		app.common.notFound.send(w, r, http.StatusNotFound)
	})
	app.mux.HandleFunc("/{$}", app.common.only("GET, HEAD, POST", readMethods, app.serveBallot))
	app.mux.HandleFunc("/healthz", app.common.only("GET, HEAD", readMethods, app.serveHealth))
	app.mux.HandleFunc("/readyz", app.common.only("GET, HEAD", readMethods, app.serveReady))
	app.mux.HandleFunc("/startedz", app.common.only("GET, HEAD", readMethods, app.serveStarted))
	return app, nil
}

func (a *VoteApp) renderPages() error {
	style, err := readStyle()
	if err != nil {
		return err
	}
	for _, choice := range []poll.Choice{poll.None, poll.A, poll.B} {
		for n := range noticeCount {
			wanted := []poll.Choice{poll.None}
			if n.asksAgain() {
				wanted = []poll.Choice{poll.A, poll.B}
			}
			for _, want := range wanted {
				state := ballotState{choice, n, want}
				if a.ballots[state], err = render(ballotPage(a.options, state, style), style, ""); err != nil {
					return err
				}
			}
		}
	}
	a.common, err = messages{
		style: style, kicker: "The vote", homeLabel: "To the ballot", container: a.options.Container,
	}.common()
	return err
}

// ServeHTTP implements http.Handler. A vote does not go through the mux, which costs as much as signing a cookie.
func (a *VoteApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.headers.set(w, r)
	if r.Method == http.MethodPost && r.URL.Path == "/" {
		a.serveVote(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// Stopping makes the readiness page say that the program is about to stop.
func (a *VoteApp) Stopping() { a.stopping.Store(true) }

func (a *VoteApp) serveBallot(w http.ResponseWriter, r *http.Request) {
	card, err := a.seal.cardOf(r)
	if err != nil && !errors.Is(err, errDuplicateCookie) {
		card = a.welcome(w, r)
	}
	if err == nil {
		a.renew(w, r, card.voter)
	}
	a.options.Metrics.pages.Inc()
	a.ballots[ballotState{choice: card.choice}].send(w, r, http.StatusOK)
}

// serveVote takes a vote: it answers with success only after the queue has it.
func (a *VoteApp) serveVote(w http.ResponseWriter, r *http.Request) {
	card, cardErr := a.seal.cardOf(r)
	if crossSite(r, a.options.Names) {
		a.refuse(w, r, ballotState{choice: card.choice, notice: noticeCrossSite})
		return
	}
	choice, wrong := readForm(w, r)
	if wrong != noticeNone {
		a.refuse(w, r, ballotState{choice: card.choice, notice: wrong})
		return
	}
	switch {
	case errors.Is(cardErr, errDuplicateCookie):
		a.refuse(w, r, ballotState{notice: noticeDuplicateCookie})
		return
	case cardErr != nil:
		// The vote is not counted for a new voter: if this answer with the cookie got lost, the voter would vote again as another
		// one.
		a.welcome(w, r)
		a.refuse(w, r, ballotState{notice: noticeNoCookie})
		return
	}
	if wrong := a.checkBallot(w, r, card.voter); wrong != noticeNone {
		a.refuse(w, r, ballotState{card.choice, wrong, choice})
		return
	}

	vote := poll.Vote{Voter: card.voter, Choice: choice, CastAt: poll.NextTimestamp(a.options.Now().Add(a.seal.shift(card.voter)), card.last)}
	// A voter who hung up before may have voted anew since, with an earlier timestamp from another machine. That vote is the one
	// to count.
	if hungUp(r) {
		a.refuse(w, r, ballotState{choice: card.choice, notice: noticeHungUp})
		return
	}
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		a.refuse(w, r, ballotState{choice: card.choice, notice: noticeBusy})
		return
	}
	// The vote is queued even if the voter hangs up now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), appendTimeout)
	defer cancel()
	started := time.Now()
	err := a.options.Queue.Append(ctx, vote)
	a.options.Metrics.queueSeconds.Observe(time.Since(started).Seconds())
	if err != nil {
		a.trouble.report("cannot queue votes", err)
		// The queue may have the vote all the same. The next vote must have a later timestamp, on whichever machine.
		card.last = vote.CastAt
		a.seal.setCard(w, r, card)
		a.refuse(w, r, ballotState{choice: card.choice, notice: noticeQueueDown})
		return
	}
	a.trouble.over("votes are queued again")
	a.options.Metrics.accepted.Inc()
	card.choice, card.last = vote.Choice, vote.CastAt
	a.seal.setCard(w, r, card)
	a.ballots[ballotState{choice: card.choice, notice: noticeThanks}].send(w, r, http.StatusOK)
}

// welcome makes a new voter of a browser that has no cookie of ours.
func (a *VoteApp) welcome(w http.ResponseWriter, r *http.Request) voterCard {
	card := voterCard{voter: poll.NewVoterID()}
	a.options.Metrics.newVoters.Inc()
	w.Header()[NewVoterHeader] = newVoterMark
	a.seal.setCard(w, r, card)
	a.handOut(w, r, card.voter, 0)
	return card
}

var newVoterMark = []string{"1"}

// refuse answers with the ballot and the sentence that says why the vote was not taken.
func (a *VoteApp) refuse(w http.ResponseWriter, r *http.Request, state ballotState) {
	_, status, reason := state.notice.sentence()
	a.options.Metrics.refused.WithLabelValues(reason).Inc()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	a.ballots[state].send(w, r, status)
}

// serveHealth says whether this program works. Without its queue it does not, so Redis must take a write.
func (a *VoteApp) serveHealth(w http.ResponseWriter, r *http.Request) {
	a.answerWritable(w, r, &a.writable)
}

// answerWritable answers with the result of a check.
func (a *VoteApp) answerWritable(w http.ResponseWriter, r *http.Request, check *recentCheck) {
	if err := check.get(r.Context()); err != nil {
		answerCheck(w, http.StatusServiceUnavailable, "votes cannot be queued: redis does not take a write")
		a.trouble.report("redis cannot be written to", err)
		return
	}
	answerCheck(w, http.StatusOK, "ok: redis can be written to")
}

// serveReady says whether voters should be sent here: a vote would be taken, and the program is not about to stop. A program that is healthy is
// not ready if each vote has to be in two queues and no second one can be reached; to replace the program would not help.
func (a *VoteApp) serveReady(w http.ResponseWriter, r *http.Request) {
	if a.stopping.Load() {
		answerCheck(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	a.answerWritable(w, r, &a.accepts)
}

// serveStarted says whether this program has been healthy and still answers. Those ask who replace a program that fails it: another one would
// not find a queue that is away, either.
func (a *VoteApp) serveStarted(w http.ResponseWriter, r *http.Request) {
	if a.started.Load() {
		answerCheck(w, http.StatusOK, "ok: redis could be written to")
		return
	}
	if a.writable.get(r.Context()) == nil {
		a.started.Store(true)
	}
	a.serveHealth(w, r)
}

// answerCheck answers a health check in one line.
func answerCheck(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}

// recentCheck checks at most once per checkLife; in between it returns the last result.
type recentCheck struct {
	check func(context.Context) error

	mu  sync.Mutex
	at  time.Time
	err error
}

func (c *recentCheck) get(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < checkLife {
		return c.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	c.err = c.check(ctx)
	c.at = time.Now()
	return c.err
}

// troubleLog logs the beginning and the end of a trouble, not each request that meets it.
type troubleLog struct {
	log *slog.Logger
	in  atomic.Bool
}

func (t *troubleLog) report(what string, err error) {
	if !t.in.Swap(true) {
		t.log.Warn(what, "error", err.Error())
	}
}

func (t *troubleLog) over(what string) {
	if t.in.Load() && t.in.Swap(false) {
		t.log.Info(what)
	}
}
