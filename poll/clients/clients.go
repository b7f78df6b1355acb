// Package clients tells by its address which client a request or a connection belongs to, and bounds what one client may hold. It
// is pure.
package clients

import (
	"net/netip"
	"strings"
	"sync"
)

// ipv6Bits is the length of the prefix that one IPv6 customer has at least. Its addresses are all the same client.
const ipv6Bits = 64

// Client is who is bounded: an IPv4 address, or the /64 of an IPv6 address.
type Client struct{ prefix netip.Prefix }

// Of returns the client with this address.
func Of(address netip.Addr) Client {
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6Bits
	}
	prefix, _ := address.Prefix(bits) // fails for an invalid address only, which is a client of its own
	return Client{prefix}
}

// Proxies are the addresses of proxies that can be trusted to say whom a request comes from. The zero value trusts none.
type Proxies []netip.Prefix

// Trust reports whether a proxy at this address is trusted.
func (p Proxies) Trust(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// Client returns the client of a request that came from remote, host:port, with these X-Forwarded-For headers. It is the last
// address that no trusted proxy has. What stands before that address, the client may have written.
func (p Proxies) Client(remote string, forwardedFor []string) Client {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return Client{}
	}
	address := at.Addr()
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	for i := len(hops) - 1; i >= 0 && p.Trust(address); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		address = hop
	}
	return Of(address)
}

// parseHop returns the address in an element of X-Forwarded-For. Some proxies write a port after it, and IPv6 in brackets.
func parseHop(hop string) (address netip.Addr, ok bool) {
	hop = strings.TrimSpace(hop)
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return at.Addr(), true
	}
	if inside, bracketed := strings.CutPrefix(hop, "["); bracketed {
		hop, bracketed = strings.CutSuffix(inside, "]")
		address, err := netip.ParseAddr(hop)
		return address, bracketed && err == nil && address.Is6()
	}
	address, err := netip.ParseAddr(hop)
	return address, err == nil
}

// Bound limits how many of something each client may hold at once. It is safe for concurrent use.
type Bound struct {
	most int

	mu   sync.Mutex
	held map[Client]int
}

// NewBound makes a bound of most things for each client.
func NewBound(most int) *Bound { return &Bound{most: most, held: map[Client]int{}} }

// Take takes one for the client. It reports false if the client holds as many as it may.
func (b *Bound) Take(client Client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[client] >= b.most {
		return false
	}
	b.held[client]++
	return true
}

// Release gives one back that the client has taken.
func (b *Bound) Release(client Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[client]--; b.held[client] <= 0 {
		delete(b.held, client)
	}
}
