package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"swarm-scale/poll"
	"swarm-scale/poll/clients"
)

const (
	// heartbeat is how often a viewer gets the results again when nothing changes, so that both sides notice a lost connection.
	heartbeat = 10 * time.Second
	// viewerTimeout is how long a viewer may take to receive one update before the connection is closed.
	viewerTimeout = 10 * time.Second
	// maxViewers is how many viewers may be connected at once. Each takes about 28 KB, out of the container's 512 MiB. Others are
	// asked to come back.
	maxViewers = 15_000
)

// ResultsOptions is what the results page is made of.
type ResultsOptions struct {
	Ballot     poll.Ballot
	Scoreboard poll.Scoreboard
	Log        *slog.Logger
	// MostPerClient is how many viewers of one client may be connected at once; 0 for any number.
	MostPerClient int
	// Proxies are trusted to say whom a request comes from.
	Proxies clients.Proxies
	// Registerer gets the metrics; nil for none.
	Registerer prometheus.Registerer
}

// ResultsApp shows the tally to viewers.
type ResultsApp struct {
	live    *live
	metrics *ResultsMetrics
	viewers atomic.Int64
	clients *clients.Bound
	proxies clients.Proxies
	headers secured
	mux     *http.ServeMux
	common  commonMessages
}

// NewResultsApp makes the results page, which shows what Run reads.
func NewResultsApp(options ResultsOptions) (*ResultsApp, error) {
	style, err := readStyle()
	if err != nil {
		return nil, err
	}
	script, err := readPageFile("results.js")
	if err != nil {
		return nil, err
	}
	common, err := messages{style: style, kicker: "The results", homeLabel: "To the results"}.common()
	if err != nil {
		return nil, err
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.MostPerClient == 0 {
		options.MostPerClient = maxViewers
	}
	app := &ResultsApp{metrics: NewResultsMetrics(options.Registerer), mux: http.NewServeMux(), common: common,
		clients: clients.NewBound(options.MostPerClient), proxies: options.Proxies, headers: newSecured()}
	app.live = newLive(options.Scoreboard, options.Ballot, options.Log, app.metrics, func(r results) (*page, error) {
		return render(resultsPage(r, style, script), style, script)
	})
	if _, err := app.live.current.page(); err != nil { // so that a fault in the page shows at the start
		return nil, err
	}
	watchAge(options.Registerer, app.live.age)
	for path, handler := range map[string]http.HandlerFunc{
		"/{$}":          app.servePage,
		"/results.json": app.serveJSON,
		"/events":       app.serveEvents,
	} {
		app.mux.HandleFunc(path, common.only("GET, HEAD", readMethods, handler))
	}
	app.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		common.notFound.send(w, r, http.StatusNotFound)
	})
	return app, nil
}

// Run reads the tally until ctx is done. Then it ends the connections of all viewers.
func (a *ResultsApp) Run(ctx context.Context) { a.live.run(ctx) }

// ServeHTTP implements http.Handler.
func (a *ResultsApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.headers.set(w, r)
	a.mux.ServeHTTP(w, r)
}

func (a *ResultsApp) servePage(w http.ResponseWriter, r *http.Request) {
	current, _ := a.live.now()
	page, err := current.page()
	if err != nil {
		http.Error(w, "The results cannot be shown.", http.StatusInternalServerError)
		return
	}
	a.metrics.pages.Inc()
	page.send(w, r, http.StatusOK)
}

func (a *ResultsApp) serveJSON(w http.ResponseWriter, r *http.Request) {
	current, _ := a.live.now()
	body, err := current.json()
	if err != nil {
		http.Error(w, "The results cannot be shown.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Access-Control-Allow-Origin", "*") // the results are everyone's
	fmt.Fprintf(w, "%s\n", body)
}

// serveEvents sends the results, and each change of them, as server-sent events.
func (a *ResultsApp) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	client := a.proxies.Client(r.RemoteAddr, r.Header.Values("X-Forwarded-For"))
	if !a.clients.Take(client) {
		a.refuseViewer(w, refusedClient, http.StatusTooManyRequests)
		return
	}
	defer a.clients.Release(client)
	defer a.viewers.Add(-1)
	if a.viewers.Add(1) > maxViewers {
		a.refuseViewer(w, refusedAll, http.StatusServiceUnavailable)
		return
	}
	a.metrics.viewers.Inc()
	defer a.metrics.viewers.Dec()

	connection := http.NewResponseController(w)
	// The server's read timeout is for requests and would end this connection.
	if err := connection.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "This connection cannot carry events.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		current, changed := a.live.now()
		event, err := current.event()
		if err != nil || connection.SetWriteDeadline(time.Now().Add(viewerTimeout)) != nil {
			return
		}
		if _, err := w.Write(event); err != nil {
			return
		}
		if err := connection.Flush(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-r.Context().Done():
			return
		case <-a.live.done:
			return
		}
	}
}

// Reasons why a viewer is refused.
const (
	refusedClient = "client" // the client has as many as it may
	refusedAll    = "all"    // there are as many as there may be
)

// refuseViewer answers a viewer for whom there is no place. The page shows its numbers and tries again by itself.
func (a *ResultsApp) refuseViewer(w http.ResponseWriter, reason string, status int) {
	a.metrics.refused.WithLabelValues(reason).Inc()
	w.Header().Set("Retry-After", "30")
	http.Error(w, "There are too many viewers at this moment. Please come back in half a minute.", status)
}

// Healthy returns nil while this program works, with or without a database.
func (a *ResultsApp) Healthy(context.Context) error {
	select {
	case <-a.live.done:
		return errors.New("stopping")
	default:
		return nil
	}
}

// Ready returns nil while the tally can be read. That the results are not live is no fault of this program.
func (a *ResultsApp) Ready(context.Context) error {
	if current, _ := a.live.now(); current.fault != nil {
		return errors.New("the tally cannot be read from the database")
	}
	return nil
}
