package service

import (
	"net"
	"net/netip"
	"sync"

	"swarm-scale/poll/clients"
)

// bounded is a listener that closes a connection at once if its client holds as many as it may. Trusted proxies may hold any
// number.
type bounded struct {
	net.Listener
	bound   *clients.Bound
	proxies clients.Proxies
}

// Accept implements net.Listener.
func (b bounded) Accept() (net.Conn, error) {
	for {
		connection, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		remote, err := netip.ParseAddrPort(connection.RemoteAddr().String())
		if err != nil || b.proxies.Trust(remote.Addr()) {
			return connection, nil
		}
		client := clients.Of(remote.Addr())
		if b.bound.Take(client) {
			return &boundedConnection{Conn: connection, release: sync.OnceFunc(func() { b.bound.Release(client) })}, nil
		}
		_ = connection.Close() // the client is not told why; there is nothing else to do with it
	}
}

// boundedConnection gives its place back when it is closed.
type boundedConnection struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *boundedConnection) Close() error {
	defer c.release()
	return c.Conn.Close()
}
