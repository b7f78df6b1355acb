package chaos

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// direction is one of the two ways through a gate.
type direction int

const (
	toServer direction = iota
	toClient
)

// gate is a TCP proxy between a program and a server that can hold back bytes.
type gate struct {
	address string // where the program finds the server

	target string
	mu     sync.Mutex
	moved  *sync.Cond // signals that the gate was opened or a connection ended
	closed [2]bool    // by direction
	held   [2][]byte  // bytes that came since the gate was closed, by direction
	open   map[net.Conn]bool
}

// newGate opens a gate to the server at target, host:port.
func newGate(t testing.TB, target string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: listener.Addr().String(), target: target, open: map[net.Conn]bool{}}
	g.moved = sync.NewCond(&g.mu)
	t.Cleanup(func() {
		listener.Close()
		g.reset()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			go g.connect(client)
		}
	}()
	return g
}

// connect copies both directions of one connection until either end closes it.
func (g *gate) connect(client net.Conn) {
	server, err := net.Dial("tcp", g.target)
	if err != nil {
		client.Close()
		return
	}
	g.mu.Lock()
	g.open[client], g.open[server] = true, true
	g.mu.Unlock()
	go g.carry(server, client, toServer)
	g.carry(client, server, toClient)
}

// carry copies one direction. When it ends it closes both connections, and the bytes held are lost, as when a machine dies.
func (g *gate) carry(to, from net.Conn, way direction) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && g.pass(from, way, buffer[:n]) {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			g.mu.Lock()
			delete(g.open, to)
			delete(g.open, from)
			g.moved.Broadcast()
			g.mu.Unlock()
			to.Close()
			from.Close()
			return
		}
	}
}

// pass waits until the gate is open in this direction. It returns false if the connection ends first.
func (g *gate) pass(from net.Conn, way direction, content []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed[way] {
		g.held[way] = append(g.held[way], content...)
	}
	for g.closed[way] && g.open[from] {
		g.moved.Wait()
	}
	return g.open[from]
}

// hold closes the gate in one direction.
func (g *gate) hold(way direction) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[way] = true
	g.held[way] = nil
}

// holds reports whether the bytes held contain a text.
func (g *gate) holds(way direction, text string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return bytes.Contains(g.held[way], []byte(text))
}

// reset closes all connections, drops the bytes held and opens the gate.
func (g *gate) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for connection := range g.open {
		connection.Close()
	}
	g.open = map[net.Conn]bool{}
	g.closed = [2]bool{}
	g.moved.Broadcast()
}
