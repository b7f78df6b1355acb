package clients

import (
	"net/netip"
	"testing"
)

func TestOneIPv6CustomerIsOneClient(t *testing.T) {
	for _, test := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if got := Of(netip.MustParseAddr(test.one)) == Of(netip.MustParseAddr(test.other)); got != test.same {
			t.Errorf("%s and %s are one client: %v, want %v", test.one, test.other, got, test.same)
		}
	}
}

func TestClientBehindProxies(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"no proxy":                       {"192.0.2.7:1234", nil, "192.0.2.7"},
		"a stranger writes the header":   {"192.0.2.7:1234", []string{"198.51.100.1"}, "192.0.2.7"},
		"a trusted proxy":                {"10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		"two proxies":                    {"10.0.0.1:1234", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		"two headers":                    {"10.0.0.1:1234", []string{"198.51.100.1", "2001:db8:1::5"}, "198.51.100.1"},
		"the client wrote a part":        {"10.0.0.1:1234", []string{"203.0.113.1, 198.51.100.1"}, "198.51.100.1"},
		"the client wrote a trusted one": {"10.0.0.1:1234", []string{"203.0.113.1, 10.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		"a proxy that says nothing":      {"10.0.0.1:1234", nil, "10.0.0.1"},
		"a proxy that says nonsense":     {"10.0.0.1:1234", []string{"unknown"}, "10.0.0.1"},
		"a port":                         {"10.0.0.1:1234", []string{"198.51.100.1:5555"}, "198.51.100.1"},
		"a port at each hop":             {"10.0.0.1:1234", []string{"198.51.100.1:5555, 10.9.9.9:80"}, "198.51.100.1"},
		"a port of IPv6":                 {"10.0.0.1:1234", []string{"[2001:db8:2::9]:443"}, "2001:db8:2::1"},
		"IPv6 in brackets":               {"10.0.0.1:1234", []string{"[2001:db8:2::9]"}, "2001:db8:2::1"},
		"half a bracket":                 {"10.0.0.1:1234", []string{"[2001:db8:2::9"}, "10.0.0.1"},
		"IPv4 in brackets":               {"10.0.0.1:1234", []string{"[198.51.100.1]"}, "10.0.0.1"},
		"an IPv6 client":                 {"10.0.0.1:1234", []string{"2001:db8:2::9"}, "2001:db8:2::1"},
	} {
		if got := proxies.Client(test.remote, test.forwarded); got != Of(netip.MustParseAddr(test.want)) {
			t.Errorf("%s: the client is %v, want %s", name, got, test.want)
		}
	}
	if (Proxies{}).Client("", nil) != (Client{}) {
		t.Error("a request without an address is not a client of its own")
	}
}

func TestBound(t *testing.T) {
	bound := NewBound(2)
	one, other := Of(netip.MustParseAddr("192.0.2.1")), Of(netip.MustParseAddr("192.0.2.2"))
	for i, want := range []bool{true, true, false} {
		if got := bound.Take(one); got != want {
			t.Errorf("a client's thing %d is taken: %v, want %v", i+1, got, want)
		}
	}
	if !bound.Take(other) {
		t.Error("another client has none")
	}
	bound.Release(one)
	if !bound.Take(one) || bound.Take(one) {
		t.Error("what was given back cannot be taken again, once")
	}
	for range 2 {
		bound.Release(one)
	}
	bound.Release(other)
	if len(bound.held) != 0 {
		t.Errorf("clients that hold nothing are kept: %v", bound.held)
	}
}
