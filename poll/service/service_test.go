package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll/service"
	"swarm-scale/test/testprocess"
)

func address(t *testing.T) string {
	t.Helper()
	port, err := testprocess.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// A request in flight when the program is told to stop is answered; a new one is not.
func TestStopFinishesRequestsInFlight(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	at := address(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "done")
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Serve(ctx, service.Log(io.Discard, "test"), service.Listener{Name: "test", Address: at, Handler: handler})
	}()
	answered := make(chan string, 1)
	go func() {
		for {
			response, err := http.Get("http://" + at)
			if err != nil {
				time.Sleep(5 * time.Millisecond) // it is just starting
				continue
			}
			body, err := io.ReadAll(response.Body)
			answered <- fmt.Sprint(string(body), err)
			response.Body.Close()
			return
		}
	}()
	<-begun
	stop()
	for range 200 { // until nobody listens any more
		connection, err := net.Dial("tcp", at)
		if err != nil {
			break
		}
		connection.Close()
		time.Sleep(5 * time.Millisecond)
	}
	close(goOn)
	if got := <-answered; got != "done<nil>" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// The handler, which sets the headers of all answers, answers OPTIONS *, too.
func TestHandlerAnswersOptions(t *testing.T) {
	at := address(t)
	asked := make(chan string, 1)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method + " " + r.RequestURI })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Serve(ctx, service.Log(io.Discard, "test"), service.Listener{Name: "test", Address: at, Handler: handler})
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", at)
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(connection); err != nil {
			t.Fatal(err)
		}
		break
	}
	select {
	case got := <-asked:
		if got != "OPTIONS *" {
			t.Errorf("the handler was asked for %s", got)
		}
	default:
		t.Error("the handler was not asked")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeSaysWhichAddressIsTaken(t *testing.T) {
	server := httptest.NewServer(nil)
	defer server.Close()
	taken, free := strings.TrimPrefix(server.URL, "http://"), address(t)
	err := service.Serve(t.Context(), service.Log(io.Discard, "test"),
		service.Listener{Name: "pages", Address: free}, service.Listener{Name: "metrics", Address: taken})
	if err == nil || !strings.Contains(err.Error(), "listen for metrics on "+taken) {
		t.Errorf("it ended with %v", err)
	}
}

func TestHealthcheck(t *testing.T) {
	mux := http.NewServeMux()
	fault := error(nil)
	service.Check(mux, "/healthz", func(context.Context) error { return fault })
	server := httptest.NewServer(mux)
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for _, at := range []string{":" + port, "0.0.0.0:" + port, "127.0.0.1:" + port} {
		if code := service.Healthcheck(io.Discard, at, "/healthz"); code != service.ExitOK {
			t.Errorf("at %s: %d", at, code)
		}
	}
	fault = errors.New("it hurts")
	var out bytes.Buffer
	if code := service.Healthcheck(&out, ":"+port, "/healthz"); code != service.ExitFailure || !strings.Contains(out.String(), "it hurts") {
		t.Errorf("unhealthy: %d %s", code, out.String())
	}
	notReady, dead := errors.New("no database"), errors.New("hung")
	service.Started(mux, func(context.Context) error { return notReady }, func(context.Context) error { return dead })
	started := func(when string, want int) {
		t.Helper()
		if code := service.Healthcheck(io.Discard, ":"+port, service.StartedPage); code != want {
			t.Errorf("started, %s: %d, want %d", when, code, want)
		}
	}
	started("before it was ready", service.ExitFailure)
	notReady = nil
	started("when it is ready", service.ExitOK)
	started("when it is dead", service.ExitFailure)
	notReady, dead = errors.New("no database"), nil
	started("when the database is away", service.ExitOK)
	if code := service.Healthcheck(io.Discard, ":"+port, "/elsewhere"); code != service.ExitFailure {
		t.Errorf("a page that is not there: %d", code)
	}
	for _, at := range []string{address(t), "nonsense"} {
		if code := service.Healthcheck(io.Discard, at, "/healthz"); code != service.ExitFailure {
			t.Errorf("at %s: %d", at, code)
		}
	}
}

func TestSettingsFault(t *testing.T) {
	var out bytes.Buffer
	code := service.SettingsFault(&out, "vote-worker", errors.Join(errors.New("one"), fmt.Errorf("two: %w", errors.Join(errors.New("x")))))
	want := "vote-worker cannot start, its settings are wrong:\n  one\n  two: x\n"
	if code != service.ExitSettings || out.String() != want {
		t.Errorf("%d %q, want %q", code, out.String(), want)
	}
}

func TestMetrics(t *testing.T) {
	handler := service.MetricsHandler(service.Registry())
	for path, want := range map[string]int{"/metrics": 200, "/": 404} {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != want || want == 200 && !strings.Contains(recorder.Body.String(), "go_goroutines") {
			t.Errorf("%s: %d %s", path, recorder.Code, recorder.Body.String())
		}
	}
}
