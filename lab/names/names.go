// Package names is a small DNS server for tests: the name server of a domain whose records change while it runs.
//
//	server, err := names.Serve("127.0.0.1:0")
//	if err != nil {
//		...
//	}
//	defer server.Close()
//	server.Set("votingapp.local", first, second)
//	addresses, err := server.Resolver().LookupNetIP(ctx, "ip", "votingapp.local")
package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// lifetime is how many seconds a resolver may keep an answer.
	lifetime = 5
	// mostBytes is how long an answer by UDP may be (RFC 1035, 4.2.1). A longer one is asked for again by TCP.
	mostBytes = 512
	// patience is how long a TCP connection may be idle.
	patience = 10 * time.Second
	// tries is how often a port is looked for that is free for both UDP and TCP.
	tries = 20
)

// Server is a name server. Its methods can be called concurrently.
type Server struct {
	packets net.PacketConn
	streams net.Listener
	running sync.WaitGroup

	mu     sync.Mutex
	names  map[string]*record
	open   map[net.Conn]bool
	closed bool
}

// record is what the server knows of a name.
type record struct {
	addresses []netip.Addr
	next      int // the index of the next answer's first address
}

// Serve starts a name server on a UDP and TCP port of an address, such as "127.0.0.1:5353". Port 0 stands for one that is free.
func Serve(address string) (*Server, error) {
	s := &Server{names: map[string]*record{}, open: map[net.Conn]bool{}}
	if err := s.listen(address); err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	s.running.Go(s.servePackets)
	s.running.Go(s.serveStreams)
	return s, nil
}

// listen opens both ports. One that is free for TCP may be taken for UDP.
func (s *Server) listen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	for range tries {
		if s.streams, err = net.Listen("tcp", address); err != nil {
			return err
		}
		if s.packets, err = net.ListenPacket("udp", s.streams.Addr().String()); err == nil {
			return nil
		}
		_ = s.streams.Close()
		if port != "0" {
			break
		}
	}
	return err
}

// Set sets a name's IPv4 addresses, and leaves out others. Without any the name does not exist. Upper and lower case are the same.
func (s *Server) Set(name string, addresses ...netip.Addr) {
	kept := &record{}
	for _, address := range addresses {
		if address = address.Unmap(); address.Is4() {
			kept.addresses = append(kept.addresses, address)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.names, key(name)); len(kept.addresses) > 0 {
		s.names[key(name)] = kept
	}
}

// key is a name in one form, whatever its case and with or without the root's dot.
func key(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Resolver returns a resolver that asks this server only. Names in this machine's /etc/hosts come before it, as for every resolver of Go.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.streams.Addr().String())
	}}
}

// Close ends the server, and returns once nothing of it runs.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for connection := range s.open {
		_ = connection.Close()
	}
	s.mu.Unlock()
	err := errors.Join(s.packets.Close(), s.streams.Close())
	s.running.Wait()
	return err
}

func (s *Server) servePackets() {
	buffer := make([]byte, 65535)
	for {
		n, from, err := s.packets.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as that an earlier answer did not arrive
		}
		if answer, err := s.answer(buffer[:n], mostBytes); err == nil {
			_, _ = s.packets.WriteTo(answer, from) // who does not get it asks again
		}
	}
}

func (s *Server) serveStreams() {
	for {
		connection, err := s.streams.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			_ = connection.Close()
		}
		s.open[connection] = true
		s.mu.Unlock()
		s.running.Go(func() {
			s.serveStream(connection)
			_ = connection.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.open, connection)
		})
	}
}

// serveStream answers the queries of one connection. A length of two bytes is before each message (RFC 1035, 4.2.2).
func (s *Server) serveStream(connection net.Conn) {
	for {
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(connection, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(connection, query); err != nil {
			return
		}
		answer, err := s.answer(query, 65535)
		if err != nil {
			return
		}
		if _, err := connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer returns the answer to a query. One that is longer than most is without addresses, and says that it is cut short. An error means
// that the query is none.
func (s *Server) answer(query []byte, most int) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil, errors.Join(err, errors.New("this is no query"))
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	message := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, OpCode: header.OpCode, Authoritative: true, RecursionDesired: header.RecursionDesired,
		},
		Questions: []dnsmessage.Question{question},
	}
	addresses, known := s.look(question)
	switch {
	case header.OpCode != 0:
		message.RCode = dnsmessage.RCodeNotImplemented
	case !known:
		message.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range addresses {
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: lifetime},
			Body:   &dnsmessage.AResource{A: address.As4()},
		})
	}
	answer, err := message.Pack()
	if err == nil && len(answer) > most {
		message.Answers, message.Truncated = nil, true
		answer, err = message.Pack()
	}
	return answer, err
}

// look returns the addresses that answer a question, each time with another one first, and whether the name is known.
func (s *Server) look(question dnsmessage.Question) (addresses []netip.Addr, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.names[key(question.Name.String())]
	if !known || question.Type != dnsmessage.TypeA || question.Class != dnsmessage.ClassINET {
		return nil, known
	}
	addresses = append(addresses, found.addresses[found.next:]...)
	addresses = append(addresses, found.addresses[:found.next]...)
	found.next = (found.next + 1) % len(found.addresses)
	return addresses, true
}
