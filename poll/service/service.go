// Package service is what the three programs share: arguments, logs, listeners, a graceful stop and the health check.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"swarm-scale/poll/clients"
)

// Exit codes of the programs.
const (
	ExitOK       = 0
	ExitFailure  = 1 // it ran and failed
	ExitSettings = 2 // it did not start: the settings or arguments are wrong
)

// stopTimeout is how long requests in flight may take after the signal to stop. It is less than the 10 s after which `docker
// stop` kills.
const stopTimeout = 8 * time.Second

// Log is the program's log: one JSON object per line.
func Log(to io.Writer, program string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, nil)).With("program", program)
}

// SettingsFault writes what is wrong with the settings, one fault per line, and returns ExitSettings.
func SettingsFault(to io.Writer, program string, err error) int {
	fmt.Fprintf(to, "%s cannot start, its settings are wrong:\n", program)
	for _, fault := range faults(err) {
		fmt.Fprintf(to, "  %s\n", fault)
	}
	return ExitSettings
}

// faults takes joined errors apart.
func faults(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, faults(part)...)
	}
	return all
}

// Registry is a registry of metrics with those of the Go runtime and the process in it.
func Registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// MetricsHandler answers /metrics, and 404 otherwise.
func MetricsHandler(registry *prometheus.Registry) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// Check adds a page to mux that answers 200 when check returns nil, and 503 with its sentence otherwise.
func Check(mux *http.ServeMux, path string, check func(context.Context) error) {
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(r.Context()); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

// StartedPage is the page of Started.
const StartedPage = "/startedz"

// Started adds a page to mux that answers 200 once ready has returned nil, and from then on while alive does. It is for those who replace a
// program that fails it: another one would not find a database that is away, either.
func Started(mux *http.ServeMux, ready, alive func(context.Context) error) {
	var started atomic.Bool
	Check(mux, StartedPage, func(ctx context.Context) error {
		if started.Load() {
			return alive(ctx)
		}
		err := ready(ctx)
		if err == nil {
			started.Store(true)
		}
		return err
	})
}

// Listener is an address and what answers there.
type Listener struct {
	Name    string // for the log: "votes", "metrics"
	Address string
	Handler http.Handler
	// ConnContext, if set, is http.Server's: it adds to the context of each connection's requests.
	ConnContext func(context.Context, net.Conn) context.Context
	// MostPerClient is how many connections a client may have at once; 0 for any number. Proxies may have any number.
	MostPerClient int
	Proxies       clients.Proxies
}

// Serve answers on all listeners until ctx is done, and then finishes the requests in flight. It returns nil after such a
// stop, and the error if an address cannot be listened on.
func Serve(ctx context.Context, log *slog.Logger, listeners ...Listener) error {
	sockets := make([]net.Listener, len(listeners))
	for i, listener := range listeners {
		socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listener.Address)
		if err != nil {
			for _, open := range sockets[:i] {
				open.Close()
			}
			return fmt.Errorf("listen for %s on %s: %w", listener.Name, listener.Address, err)
		}
		if listener.MostPerClient > 0 {
			socket = bounded{socket, clients.NewBound(listener.MostPerClient), listener.Proxies}
		}
		sockets[i] = socket
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for i, listener := range listeners {
		server := &http.Server{
			Handler:           listener.Handler,
			ConnContext:       listener.ConnContext,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      20 * time.Second,
			IdleTimeout:       75 * time.Second, // longer than a load balancer keeps an idle connection, so that it closes first
			MaxHeaderBytes:    8 << 10,
			Protocols:         protocols(),
			// The handler answers OPTIONS *, too.
			DisableGeneralOptionsHandler: true,
			// Clients' protocol errors are not worth a line each.
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		log.Info("listening", "for", listener.Name, "address", sockets[i].Addr().String())
		group.Go(func() error {
			err := server.Serve(sockets[i])
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("answer %s on %s: %w", listener.Name, listener.Address, err)
		})
		group.Go(func() error {
			<-groupCtx.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				log.Warn("requests were still in flight after the time to stop", "for", listener.Name)
				server.Close()
			}
			return nil
		})
	}
	return group.Wait()
}

// protocols is HTTP/1 alone. Cleartext HTTP/2 would let one connection carry many slow requests past every bound on connections.
func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	return p
}

// Healthcheck asks the program that listens on address on this machine for a page, such as /healthz. It returns ExitOK if the
// answer is 200, and ExitFailure if not; the answer goes to out.
func Healthcheck(out io.Writer, address, page string) int {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		fmt.Fprintf(out, "address %q: %v\n", address, err)
		return ExitFailure
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	client := http.Client{Timeout: 4 * time.Second}
	response, err := client.Get("http://" + net.JoinHostPort(host, port) + page)
	if err != nil {
		fmt.Fprintln(out, err)
		return ExitFailure
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what came is shown, whole or not
	fmt.Fprintf(out, "%s", body)
	if response.StatusCode != http.StatusOK {
		return ExitFailure
	}
	return ExitOK
}
