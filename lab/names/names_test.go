package names

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const name = "Poll.names.test"

func serve(t *testing.T) *Server {
	t.Helper()
	server, err := Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func addresses(count int) []netip.Addr {
	var all []netip.Addr
	for i := range count {
		all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
	}
	return all
}

func look(ctx context.Context, server *Server, name string) ([]netip.Addr, error) {
	return server.Resolver().LookupNetIP(ctx, "ip4", name)
}

// TestAddressesRotate holds that each answer has all addresses, and begins with another one.
func TestAddressesRotate(t *testing.T) {
	server, all := serve(t), addresses(3)
	server.Set(name, append([]netip.Addr{netip.MustParseAddr("2001:db8::1")}, all...)...)
	for i := range 4 {
		got, err := look(t.Context(), server, name)
		first := i % len(all)
		if want := slices.Concat(all[first:], all[:first]); err != nil || !slices.Equal(got, want) {
			t.Errorf("answer %d is %v (%v), want %v", i+1, got, err, want)
		}
	}
}

func TestNamesExistWhileTheyHaveAddresses(t *testing.T) {
	server := serve(t)
	missing := func(name string) {
		t.Helper()
		var failure *net.DNSError
		if got, err := look(t.Context(), server, name); !errors.As(err, &failure) || !failure.IsNotFound {
			t.Errorf("%s is at %v (%v), want that there is no such name", name, got, err)
		}
	}
	missing(name)
	server.Set(name, addresses(1)...)
	for _, same := range []string{name, "poll.names.test", "POLL.NAMES.TEST.", "poll.names.test."} {
		if got, err := look(t.Context(), server, same); err != nil || !slices.Equal(got, addresses(1)) {
			t.Errorf("%s is at %v (%v), want %v", same, got, err, addresses(1))
		}
	}
	missing("other." + name)
	server.Set("poll.NAMES.test.")
	missing(name)
}

// ask sends a query and returns the answer.
func ask(t *testing.T, server *Server, name string, kind dnsmessage.Type) dnsmessage.Message {
	t.Helper()
	query := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("udp", server.packets.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// What is no query gets no answer, and harms nobody.
	for _, packet := range [][]byte{{1, 2, 3}, packed} {
		if _, err := connection.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 65535)
	n, err := connection.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(buffer[:n]); err != nil {
		t.Fatal(err)
	}
	if answer.ID != 7 || !answer.Response || !answer.Authoritative || len(answer.Questions) != 1 {
		t.Errorf("the answer is %+v", answer)
	}
	return answer
}

func TestAnswersByType(t *testing.T) {
	server := serve(t)
	server.Set("two.names.test", addresses(2)...)
	server.Set("many.names.test", addresses(100)...)
	for _, test := range []struct {
		name  string
		kind  dnsmessage.Type
		rcode dnsmessage.RCode
		count int
		short bool
	}{
		{"two.names.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 2, false},
		{"two.names.test.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0, false},
		{"two.names.test.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, 0, false},
		{"none.names.test.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0, false},
		{"none.names.test.", dnsmessage.TypeAAAA, dnsmessage.RCodeNameError, 0, false},
		{"many.names.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 0, true},
	} {
		answer := ask(t, server, test.name, test.kind)
		if answer.RCode != test.rcode || len(answer.Answers) != test.count || answer.Truncated != test.short {
			t.Errorf("%s %s: %+v", test.name, test.kind, answer)
		}
		for _, one := range answer.Answers {
			if one.Header.TTL != 5 {
				t.Errorf("%s may be kept for %d s, want 5", test.name, one.Header.TTL)
			}
		}
	}
	// What is too long for UDP comes by TCP.
	if got, err := look(t.Context(), server, "many.names.test"); err != nil || len(got) != 100 {
		t.Errorf("of 100 addresses come %d (%v)", len(got), err)
	}
}

func TestClosedServerIsGone(t *testing.T) {
	server := serve(t)
	server.Set(name, addresses(1)...)
	address := server.packets.LocalAddr().String()
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got, err := look(ctx, server, name); err == nil {
		t.Errorf("a closed server answers %v", got)
	}
	again, err := Serve(address)
	if err != nil {
		t.Fatalf("the port of a closed server: %v", err)
	}
	if other, err := Serve(address); err == nil {
		t.Errorf("two servers on one port: %s", other.streams.Addr())
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Serve("nowhere"); err == nil {
		t.Error("an address without a port is taken")
	}
}
