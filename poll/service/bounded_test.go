package service_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll/clients"
	"swarm-scale/poll/service"
	"swarm-scale/test/eventually"
)

const patience = 30 * time.Second

// serve answers with "ok" until the test ends, and returns the address.
func serve(t *testing.T, listener service.Listener) string {
	t.Helper()
	listener.Name, listener.Address = "test", address(t)
	listener.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(ctx, service.Log(io.Discard, "test"), listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	eventually.Succeeds(t, patience, "the server listens", func() error {
		connection, err := net.Dial("tcp", listener.Address)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	return listener.Address
}

// connect opens a connection from an address of this machine and sends a request. It returns what comes first.
func connect(t *testing.T, from, to, request string) (net.Conn, string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	connection, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return connection, ""
	}
	line, _ := bufio.NewReader(connection).ReadString('\n') // nothing if it is closed
	return connection, line
}

// TestLogHasNoAddresses holds that no client's address is logged, whatever the client sends.
func TestLogHasNoAddresses(t *testing.T) {
	const client = "127.0.0.77"
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	at, ended := address(t), make(chan error, 1)
	go func() {
		ended <- service.Serve(ctx, service.Log(&log, "test"), service.Listener{Name: "test", Address: at, MostPerClient: 3,
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = []int{}[len(r.URL.Path)] })}) // it panics
	}()
	eventually.Succeeds(t, patience, "the server listens", func() error {
		connection, err := net.Dial("tcp", at)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	for _, request := range []string{plainRequest, "broken\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\x16\x03\x01\r\n\r\n", plainRequest} {
		connection, _ := connect(t, client, at, request)
		connection.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), client) || !strings.Contains(log.String(), "listening") {
		t.Errorf("the log has a client's address, or nothing:\n%s", log.String())
	}
}

const plainRequest = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

// TestConnectionsOfOneClientAreBounded holds that a client with as many connections as it may have gets no more, until it closes
// one. Other clients and trusted proxies get theirs.
func TestConnectionsOfOneClientAreBounded(t *testing.T) {
	const most = 3
	at := serve(t, service.Listener{MostPerClient: most, Proxies: clients.Proxies{netip.MustParsePrefix("127.0.0.9/32")}})
	answered := func(from string) (net.Conn, bool) {
		connection, line := connect(t, from, at, plainRequest)
		return connection, line == "HTTP/1.1 200 OK\r\n"
	}
	var open []net.Conn
	eventually.Succeeds(t, patience, "as many connections as there may be are answered", func() error {
		connection, ok := answered("127.0.0.2")
		if ok {
			open = append(open, connection)
		}
		if len(open) < most {
			return fmt.Errorf("%d are", len(open))
		}
		return nil
	})
	if _, ok := answered("127.0.0.2"); ok {
		t.Errorf("connection %d of one client is answered", most+1)
	}
	if _, ok := answered("127.0.0.3"); !ok {
		t.Error("another client is not answered")
	}
	for range most + 1 {
		if _, ok := answered("127.0.0.9"); !ok {
			t.Error("a trusted proxy is not answered")
		}
	}
	open[0].Close()
	eventually.Succeeds(t, patience, "a closed connection makes room", func() error {
		if _, ok := answered("127.0.0.2"); !ok {
			return io.EOF
		}
		return nil
	})
}

// TestServersSpeakNoCleartextHTTP2 holds that neither the preface nor an upgrade leads to HTTP/2.
func TestServersSpeakNoCleartextHTTP2(t *testing.T) {
	at := serve(t, service.Listener{})
	if _, line := connect(t, "127.0.0.1", at, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); len(line) < 9 || line[:9] != "HTTP/1.1 " {
		t.Errorf("the preface of HTTP/2 is answered with %q", line)
	}
	if _, line := connect(t, "127.0.0.1", at, "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+
		"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"); line != "HTTP/1.1 200 OK\r\n" {
		t.Errorf("an upgrade to HTTP/2 is answered with %q", line)
	}
}
