package simulation

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Attachment serves simulated packages to the Pulumi engine.
type Attachment struct {
	world *World

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	servers   map[*grpc.Server]*provider
	running   sync.WaitGroup
	addresses []string
}

// Attach serves packages that share a world, each on a port of 127.0.0.1 of its
// own, until Close.
func Attach(w *World, packages ...*Package) (*Attachment, error) {
	a := &Attachment{world: w, servers: map[*grpc.Server]*provider{}}
	for _, pkg := range packages {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("serve the simulated %s provider: %w", pkg.Name, err), a.Close())
		}
		a.listeners = append(a.listeners, listener)
		a.addresses = append(a.addresses, fmt.Sprintf("%s:%d", pkg.Name, listener.Addr().(*net.TCPAddr).Port))
		a.running.Go(func() { a.accept(listener, pkg) })
	}
	return a, nil
}

// Env returns the value of PULUMI_DEBUG_PROVIDERS that makes the Pulumi engine
// use the simulated providers, such as "aws:4001,docker:4002".
func (a *Attachment) Env() string { return strings.Join(a.addresses, ",") }

// Close stops serving and waits until all of it has ended.
func (a *Attachment) Close() error {
	a.mu.Lock()
	a.closed = true
	var errs []error
	for _, listener := range a.listeners {
		errs = append(errs, listener.Close())
	}
	a.listeners = nil
	for server, p := range a.servers {
		p.shutdown()
		server.Stop()
	}
	a.mu.Unlock()
	a.running.Wait()
	return errors.Join(errs...)
}

// accept gives every connection a provider of its own. The Pulumi engine opens
// one connection per provider resource of the program. So two docker providers
// with different hosts are told apart.
func (a *Attachment) accept(listener net.Listener, pkg *Package) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p := newProvider(a.world, pkg)
		server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
		pulumirpc.RegisterResourceProviderServer(server, plugin.NewProviderServer(p))
		a.mu.Lock()
		if a.closed {
			a.mu.Unlock()
			_ = conn.Close()
			return
		}
		a.servers[server] = p
		a.running.Go(func() {
			single := &singleListener{conn: conn, done: make(chan struct{})}
			_ = server.Serve(single) // Ends with the connection; there is no other way.
			p.shutdown()
			server.Stop()
			a.mu.Lock()
			delete(a.servers, server)
			a.mu.Unlock()
		})
		a.mu.Unlock()
	}
}

// maxMessage is the largest message that the Pulumi engine sends: 400 MiB.
const maxMessage = 400 << 20

// singleListener hands out one connection and reports its end.
type singleListener struct {
	conn net.Conn
	once sync.Once
	stop sync.Once
	done chan struct{}
}

// Accept returns the connection, then waits for its end.
func (l *singleListener) Accept() (net.Conn, error) {
	var conn net.Conn
	l.once.Do(func() { conn = &notifyingConn{Conn: l.conn, closed: l.finish} })
	if conn != nil {
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

// Close ends the wait of Accept.
func (l *singleListener) Close() error {
	l.finish()
	return nil
}

// Addr is the connection's own address.
func (l *singleListener) Addr() net.Addr { return l.conn.LocalAddr() }

func (l *singleListener) finish() { l.stop.Do(func() { close(l.done) }) }

// notifyingConn tells when it is closed.
type notifyingConn struct {
	net.Conn
	closed func()
}

// Close closes the connection and tells.
func (c *notifyingConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
