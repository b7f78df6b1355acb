// Package http is what voters and viewers see: the vote page ([VoteApp]) and the live results ([ResultsApp]). Both are
// made from the same layout and style, need nothing from other sites, and work without JavaScript.
package http

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"swarm-scale/poll"
)

const (
	// maxBody is how many bytes a vote's form may have; ours has 6.
	maxBody = 1 << 10
	// appendTimeout is how long the queue may take for one vote, and checkTimeout for the proof of a write.
	appendTimeout = 5 * time.Second
	checkTimeout  = 2 * time.Second
	// checkLife is how long such a proof holds, so that asking for it often is not writing often.
	checkLife = time.Second
	// maxWaiting is how many votes may wait for the queue at once. When it stalls, the next voters are told so at once
	// instead of filling this machine's memory; each waiting one takes about 20 KB.
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
	// Container is the name that the last line of the page shows.
	Container string
	Log       *slog.Logger
	Metrics   *VoteMetrics
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// VoteApp answers voters.
type VoteApp struct {
	options  VoteOptions
	seal     *seal
	waiting  chan struct{}
	stopping atomic.Bool
	writable recentCheck
	common   commonMessages
	ballots  map[ballotState]*page
	mux      *http.ServeMux
	cross    *http.CrossOriginProtection
	trouble  troubleLog
}

// notice is what the vote page says above the ballot.
type notice int

const (
	noticeNone notice = iota
	noticeThanks
	noticeNoCookie
	noticeDuplicateCookie
	noticeUnknownOption
	noticeUnreadableForm
	noticeTooLarge
	noticeWrongType
	noticeCrossSite
	noticeQueueDown
	noticeBusy
	noticeCount
)

// sentence is the notice in words, its HTTP status, and the reason by which metrics count the vote as refused.
func (n notice) sentence() (text string, status int, reason string) {
	switch n {
	case noticeThanks:
		return "", http.StatusOK, "" // depends on the choice
	case noticeNoCookie:
		return "Your vote was not counted yet: your browser had not told us who is voting. It can now. Please choose " +
			"again; if this comes back, allow cookies for this site.", http.StatusConflict, "no_voter"
	case noticeDuplicateCookie:
		return "Your vote was not counted: your browser says that it is two voters. Delete this site's cookies, load " +
			"this page again and choose.", http.StatusBadRequest, "duplicate_voter"
	case noticeUnknownOption:
		return "Your vote was not counted: it was not for one of the two options. Please choose one of them.",
			http.StatusBadRequest, "unknown_option"
	case noticeUnreadableForm:
		return "Your vote was not counted: what arrived could not be read. Please choose again.",
			http.StatusBadRequest, "unreadable"
	case noticeTooLarge:
		return "Your vote was not counted: far more arrived than a vote. Please choose again.",
			http.StatusRequestEntityTooLarge, "too_large"
	case noticeWrongType:
		return "Your vote was not counted: it did not arrive as a form. Please choose again.",
			http.StatusUnsupportedMediaType, "wrong_type"
	case noticeCrossSite:
		return "Your vote was not counted: it came from another site. Please choose here.",
			http.StatusForbidden, "cross_site"
	case noticeQueueDown:
		return "Sorry, we cannot take votes at this moment: yours may be lost. Please choose again in a few seconds; you " +
			"will still be counted only once.", http.StatusServiceUnavailable, "queue_unavailable"
	case noticeBusy:
		return "Sorry, there are too many voters at this moment, and your vote was not counted. Please choose again in " +
			"a few seconds.", http.StatusServiceUnavailable, "busy"
	}
	return "", http.StatusOK, ""
}

// ballotState is all that a vote page depends on.
type ballotState struct {
	choice poll.Choice
	notice notice
}

// votePage fills vote.html.
type votePage struct {
	frame
	LabelA, LabelB string
	Options        []voteOption
	HasChosen      bool
	Notice         string
	Bad            bool
	Container      string
}

type voteOption struct {
	ID, Label string
	Chosen    bool
}

// NewVoteApp makes the vote page. There are few different ones (three choices times the notices), so all are rendered and
// compressed here, once, and an answer is a copy.
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
		waiting:  make(chan struct{}, maxWaiting),
		ballots:  map[ballotState]*page{},
		mux:      http.NewServeMux(),
		cross:    http.NewCrossOriginProtection(),
		writable: recentCheck{check: options.Queue.CheckWritable},
		trouble:  troubleLog{log: options.Log},
	}
	if err := app.renderPages(); err != nil {
		return nil, err
	}
	app.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		app.common.notFound.send(w, r, http.StatusNotFound)
	})
	app.mux.HandleFunc("/{$}", app.common.only("GET, HEAD, POST",
		[]string{http.MethodGet, http.MethodHead, http.MethodPost}, app.serveBallot))
	app.mux.HandleFunc("/healthz", app.common.only("GET, HEAD", readMethods, app.serveHealth))
	app.mux.HandleFunc("/readyz", app.common.only("GET, HEAD", readMethods, app.serveReady))
	return app, nil
}

func (a *VoteApp) renderPages() error {
	style, err := readPageFile("style.css")
	if err != nil {
		return err
	}
	parsed, err := newTemplate("vote.html")
	if err != nil {
		return err
	}
	for _, choice := range []poll.Choice{poll.None, poll.A, poll.B} {
		for n := noticeNone; n < noticeCount; n++ {
			data := a.votePage(choice, n)
			data.Style = template.CSS(style)
			if a.ballots[ballotState{choice, n}], err = render(parsed, data, style, ""); err != nil {
				return err
			}
		}
	}
	messages, err := newMessages(style, "The vote", "To the ballot", a.options.Container)
	if err != nil {
		return err
	}
	a.common, err = messages.common()
	return err
}

func (a *VoteApp) votePage(choice poll.Choice, n notice) votePage {
	ballot := a.options.Ballot
	text, status, _ := n.sentence()
	if n == noticeThanks {
		text = fmt.Sprintf("Thank you! Your vote for %s is in.", ballot.Label(choice))
	}
	data := votePage{
		LabelA:    ballot.Label(poll.A),
		LabelB:    ballot.Label(poll.B),
		HasChosen: choice != poll.None,
		Notice:    text,
		Bad:       status >= 400,
		Container: a.options.Container,
	}
	for _, option := range poll.Choices() {
		data.Options = append(data.Options,
			voteOption{ID: option.String(), Label: ballot.Label(option), Chosen: option == choice})
	}
	return data
}

// ServeHTTP implements http.Handler.
func (a *VoteApp) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Stopping makes the readiness page say that the program is about to stop.
func (a *VoteApp) Stopping() { a.stopping.Store(true) }

func (a *VoteApp) serveBallot(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		a.serveVote(w, r)
		return
	}
	card, err := a.seal.cardOf(r)
	if err != nil && !errors.Is(err, errDuplicateCookie) {
		card = voterCard{voter: poll.NewVoterID()}
		a.seal.setCard(w, r, card)
	}
	a.options.Metrics.pages.Inc()
	a.ballots[ballotState{card.choice, noticeNone}].send(w, r, http.StatusOK)
}

// serveVote takes a vote: it answers with success only after the queue has it.
func (a *VoteApp) serveVote(w http.ResponseWriter, r *http.Request) {
	card, cardErr := a.seal.cardOf(r)
	if err := a.cross.Check(r); err != nil {
		a.refuse(w, r, card.choice, noticeCrossSite)
		return
	}
	choice, wrong := readForm(w, r)
	if wrong != noticeNone {
		a.refuse(w, r, card.choice, wrong)
		return
	}
	switch {
	case errors.Is(cardErr, errDuplicateCookie):
		a.refuse(w, r, poll.None, noticeDuplicateCookie)
		return
	case cardErr != nil:
		// If it were counted now, for a voter made up now, and this answer with the cookie got lost, the voter would try
		// again and be a second one.
		a.seal.setCard(w, r, voterCard{voter: poll.NewVoterID()})
		a.refuse(w, r, poll.None, noticeNoCookie)
		return
	}

	vote := poll.Vote{Voter: card.voter, Choice: choice, CastAt: poll.NextMoment(a.options.Now(), card.last)}
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		a.refuse(w, r, card.choice, noticeBusy)
		return
	}
	// A voter who goes away does not take the vote along.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), appendTimeout)
	defer cancel()
	started := time.Now()
	err := a.options.Queue.Append(ctx, vote)
	a.options.Metrics.queueSeconds.Observe(time.Since(started).Seconds())
	if err != nil {
		a.trouble.report("cannot queue votes", err)
		// The queue may have it in spite of the error. The next vote must come after this one, on whichever machine.
		card.last = vote.CastAt
		a.seal.setCard(w, r, card)
		a.refuse(w, r, card.choice, noticeQueueDown)
		return
	}
	a.trouble.over("votes are queued again")
	a.options.Metrics.accepted.Inc()
	card.choice, card.last = vote.Choice, vote.CastAt
	a.seal.setCard(w, r, card)
	a.ballots[ballotState{card.choice, noticeThanks}].send(w, r, http.StatusOK)
}

// readForm reads the one field of the vote's form.
func readForm(w http.ResponseWriter, r *http.Request) (poll.Choice, notice) {
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // rather than read all of it
		return poll.None, noticeTooLarge
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		mediaType != "application/x-www-form-urlencoded" {
		return poll.None, noticeWrongType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return poll.None, noticeTooLarge
		}
		return poll.None, noticeUnreadableForm
	}
	votes := r.PostForm["vote"]
	if len(votes) != 1 {
		return poll.None, noticeUnreadableForm
	}
	choice, err := poll.ParseChoice(votes[0])
	if err != nil {
		return poll.None, noticeUnknownOption
	}
	return choice, noticeNone
}

// refuse answers with the ballot and the sentence that says why the vote was not taken.
func (a *VoteApp) refuse(w http.ResponseWriter, r *http.Request, choice poll.Choice, n notice) {
	_, status, reason := n.sentence()
	a.options.Metrics.refused.WithLabelValues(reason).Inc()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	a.ballots[ballotState{choice, n}].send(w, r, status)
}

// serveHealth says whether a vote could be taken: it proves that the queue can be written to.
func (a *VoteApp) serveHealth(w http.ResponseWriter, r *http.Request) {
	if err := a.writable.get(r.Context()); err != nil {
		answerCheck(w, http.StatusServiceUnavailable, "votes cannot be queued: redis does not take a write")
		a.trouble.report("redis cannot be written to", err)
		return
	}
	answerCheck(w, http.StatusOK, "ok: redis can be written to")
}

// serveReady says whether voters should be sent here.
func (a *VoteApp) serveReady(w http.ResponseWriter, r *http.Request) {
	if a.stopping.Load() {
		answerCheck(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	a.serveHealth(w, r)
}

// answerCheck answers a machine's question in one line.
func answerCheck(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}

// recentCheck asks at most once per checkLife; in between everyone gets the last answer.
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

// troubleLog writes the beginning and the end of a trouble to the log, not each of a thousand requests that meet it.
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
