package http

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"swarm-scale/poll"
)

// memoryBoard has the tally that the test sets, or fails.
type memoryBoard struct {
	mu      sync.Mutex
	tally   poll.Tally
	behind  time.Duration
	unknown bool
	fault   error
	queries atomic.Int64
}

func (b *memoryBoard) set(tally poll.Tally, fault error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally, b.fault = tally, fault
}

func (b *memoryBoard) Standing(context.Context) (poll.Standing, error) {
	b.queries.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	return poll.Standing{Tally: b.tally, Known: !b.unknown, Behind: b.behind, Queue: "redis01"}, b.fault
}

func newResultsApp(t *testing.T, board poll.Scoreboard) *ResultsApp {
	t.Helper()
	ballot, err := poll.NewBallot("Cats", "<i>Dogs</i>")
	if err != nil {
		t.Fatal(err)
	}
	app, err := NewResultsApp(ResultsOptions{Ballot: ballot, Scoreboard: board, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func fetch(t *testing.T, app http.Handler, path string) (int, string) {
	t.Helper()
	response := answer(app, httptest.NewRequest(http.MethodGet, path, nil))
	return response.StatusCode, bodyOf(t, response)
}

func TestResultsStates(t *testing.T) {
	board := &memoryBoard{}
	app := newResultsApp(t, board)
	steps := []struct {
		name      string
		before    func()
		page      []string
		live      bool
		total     int64
		jsonTexts []string
	}{
		{"never read", func() {}, []string{"cannot be counted yet", "No count yet", `class="stale"`}, false, 0, []string{`"as_of":""`}},
		{"no votes yet", func() { app.live.update(t.Context()) },
			[]string{"0 votes in all", "0.0%", "Live · ", `role="alert" hidden`}, true, 0, nil},
		{"votes", func() {
			board.set(poll.Tally{A: 1234567, B: 1}, nil)
			app.live.update(t.Context())
		}, []string{"1,234,568 votes in all", "1,234,567 votes<", ">1 vote<", "99.9%", `width="0.1%"`, "&lt;i&gt;Dogs"}, true, 1234568,
			[]string{`"share":99.9`, `"share":0.1`, `"label":"\u003ci\u003eDogs`}},
		{"database away", func() {
			board.set(poll.Tally{}, errors.New("hush-hush"))
			app.live.update(t.Context())
		}, []string{"last known numbers", "As of ", "1,234,568 votes in all", `class="stale"`}, false, 1234568, nil},
		{"and back", func() {
			board.set(poll.Tally{B: 2}, nil)
			app.live.update(t.Context())
		}, []string{"2 votes in all", "Live · "}, true, 2, nil},
	}
	for _, step := range steps {
		step.before()
		_, page := fetch(t, app, "/")
		for _, want := range step.page {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q:\n%s", step.name, want, page[strings.Index(page, "<main"):strings.Index(page, "<script")])
			}
		}
		_, text := fetch(t, app, "/results.json")
		var got struct {
			Total int64
			Live  bool
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Live != step.live || got.Total != step.total {
			t.Errorf("%s: the JSON is %s (%v)", step.name, text, err)
		}
		for _, want := range step.jsonTexts {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the JSON lacks %s: %s", step.name, want, text)
			}
		}
		if strings.Contains(page+text, "hush-hush") {
			t.Errorf("%s: viewers see what is wrong inside", step.name)
		}
		if err := app.Ready(t.Context()); (err == nil) != step.live {
			t.Errorf("%s: Ready says %v", step.name, err)
		}
		if err := app.Healthy(t.Context()); err != nil {
			t.Errorf("%s: Healthy says %v; the program itself is fine", step.name, err)
		}
	}
	for path, want := range map[string]int{"/nothing": 404, "/metrics": 404, "/readyz": 404, "/healthz": 404} {
		if status, body := fetch(t, app, path); status != want || !strings.Contains(body, "There is no page at this address.") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if response := answer(app, httptest.NewRequest(http.MethodPost, "/", nil)); response.StatusCode != 405 {
		t.Errorf("POST: %d, want 405", response.StatusCode)
	}
}

// pipes is a network in memory, whose connections wait for nothing outside the test: its clock can be the test's.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
}

func newPipes() *pipes { return &pipes{connections: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.connections <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case connection := <-p.connections:
		return connection, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// All viewers get each change, for one query. One who does not read holds up nobody, and is let go.
func TestViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := &memoryBoard{}
		app := newResultsApp(t, board)
		ctx, stop := context.WithCancel(t.Context())
		network := newPipes()
		// The server's timeouts are shorter than the test: they must not end the events.
		server := &http.Server{Handler: app, ReadTimeout: 200 * time.Millisecond, WriteTimeout: 300 * time.Millisecond}
		go func() { _ = server.Serve(network) }() // it ends when the test closes it
		defer server.Close()
		var running sync.WaitGroup
		running.Go(func() { app.Run(ctx) })

		sleeper, err := network.dial(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer sleeper.Close()
		if _, err := io.WriteString(sleeper, "GET /events HTTP/1.1\r\nHost: results\r\n\r\n"); err != nil {
			t.Fatal(err)
		}

		const viewers = 200
		transport := &http.Transport{DialContext: network.dial}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		var seen atomic.Int64
		var gone sync.WaitGroup
		for range viewers {
			gone.Go(func() {
				response, err := client.Get("http://results/events")
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
					t.Errorf("the type is %q", got)
				}
				told := sync.OnceFunc(func() { seen.Add(1) })
				lines := bufio.NewScanner(response.Body)
				for lines.Scan() {
					if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), `"total":7,`) {
						told()
					}
				}
			})
		}
		time.Sleep(700 * time.Millisecond) // longer than the server's timeouts
		synctest.Wait()
		if connected := app.viewers.Load(); connected != viewers+1 {
			t.Fatalf("%d viewers are connected, want %d and the one who does not read", connected, viewers)
		}
		before := board.queries.Load()
		board.set(poll.Tally{A: 3, B: 4}, nil)
		time.Sleep(pollInterval)
		synctest.Wait()
		if got := seen.Load(); got != viewers {
			t.Errorf("%d viewers had the change after %s, want all %d", got, pollInterval, viewers)
		}
		if queries := board.queries.Load() - before; queries != 1 {
			t.Errorf("%d viewers cost %d queries in %s, want one", viewers, queries, pollInterval)
		}
		time.Sleep(viewerTimeout)
		synctest.Wait()
		if connected := app.viewers.Load(); connected != viewers {
			t.Errorf("%d viewers are connected after %s, want only the %d who read", connected, viewerTimeout, viewers)
		}
		stop()
		running.Wait()
		gone.Wait() // the test would not end with a viewer who is still connected
	})
}

func TestCountText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 votes", 1: "1 vote", 999: "999 votes", 1000: "1,000 votes",
		123456: "123,456 votes", 1234567: "1,234,567 votes", -1234: "-1,234 votes", -123: "-123 votes"} {
		if got := countText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
