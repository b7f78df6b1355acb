package settings

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Host names under which the load balancers always serve the pages. The vote page's is the walk-through's.
const (
	VoteHost    = "votingapp.local"
	ResultsHost = "results." + VoteHost
)

// mostPerAddress is the highest limit of an address. It is as good as none.
const mostPerAddress = 1_000_000

// widestProxies maps an address's length in bits to the prefix length of the most public addresses that may be trusted: those of a large
// provider.
var widestProxies = map[int]int{32: 8, 128: 16}

// ipv4InIPv6 has every IPv4 address in the form of IPv6 (RFC 4291).
var ipv4InIPv6 = netip.MustParsePrefix("::ffff:0.0.0.0/96")

// namePattern matches a host name in lower case: labels of letters, digits and inner hyphens and underscores.
var namePattern = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// inASCII returns a host name as browsers send it: wählt.example.org is xn--whlt-loa.example.org.
func inASCII(name string) string {
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii
	}
	return strings.ToLower(name) // one with an underscore, for instance
}

// list returns the parts of a setting, with spaces, commas or line breaks between them.
func (r *reader) list(key string) []string {
	return strings.FieldsFunc(r.text(key), func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
}

// names reads host names of a page; example is the first label of one.
func (r *reader) names(key, example string) []string {
	var names []string
	for _, name := range r.list(key) {
		lower := strings.TrimSuffix(inASCII(name), ".")
		if len(lower) > 253 || !namePattern.MatchString(lower) {
			r.fault(key, name, Malformed, "is not a host name", "write names alone, without scheme, port or path, such as %s.example.org", example)
		} else if _, err := netip.ParseAddr(lower); err == nil {
			r.fault(key, name, Malformed, "is an address", "leave it out: under an address the load balancers serve the vote page, and a store serves the results")
		}
		names = append(names, lower)
	}
	return names
}

// namesDiffer reports a name that is to lead to both pages.
func (r *reader) namesDiffer(s Settings) {
	for i, text := range r.list(keyResultsNames) {
		if name := s.ResultsNames[i]; slices.Contains(s.VoteNames, name) || name == VoteHost {
			r.fault(keyResultsNames, text, Conflict, "is a name of the vote page, too", "give the results page a name of its own, such as results.example.org")
		}
	}
	for i, text := range r.list(keyVoteNames) {
		if s.VoteNames[i] == ResultsHost {
			r.fault(keyVoteNames, text, Conflict, "is the name of the results page", "leave it out")
		}
	}
	if len(s.ResultsNames) > 0 && s.LoadBalancer == Interlock {
		r.fault(keyResultsNames, strings.Join(s.ResultsNames, " "), Conflict, "needs haproxy: Interlock serves the vote page alone", "leave it out, or set %s to %s", keyLoadBalancer, HAProxy)
	}
}

// noNetworkLoadBalancer reports the network load balancer of machines that are not on AWS.
func (r *reader) noNetworkLoadBalancer() {
	if r.boolean(keyNetworkLoadBalancer) {
		r.fault(keyNetworkLoadBalancer, "true", Conflict, "is a load balancer of AWS, and the platform is "+string(Hosts),
			"leave it out, and enter the addresses of the output voteAddresses in DNS, or have your machines share one (docs/hosts.md)")
	}
}

// trustedProxies reads the ranges of the proxies. They are few: who is trusted can pretend to come from any address.
func (r *reader) trustedProxies() []netip.Prefix {
	var proxies []netip.Prefix
	trusted := map[int]float64{} // the part of what may be trusted, by the addresses' length
	for _, text := range r.list(keyTrustedProxies) {
		prefix, err := netip.ParsePrefix(text)
		if address, addressErr := netip.ParseAddr(text); addressErr == nil && address.Zone() == "" {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			r.fault(keyTrustedProxies, text, Malformed, "is not an address range", "write the addresses of the proxies in front, such as 10.0.0.0/8 or 192.0.2.7")
			continue
		}
		prefix = prefix.Masked()
		family := prefix.Addr().BitLen()
		if isPublicRange(prefix) && !slices.ContainsFunc(proxies, func(wider netip.Prefix) bool { return within(wider, prefix) }) {
			trusted[family] += math.Exp2(float64(widestProxies[family] - prefix.Bits()))
		}
		switch {
		case isPublicRange(prefix) && trusted[family] > 1:
			r.fault(keyTrustedProxies, text, Insecure, fmt.Sprintf("trusts more of the internet than a /%d has", widestProxies[family]),
				"name the proxies alone: who is trusted can pretend to come from any address, and no limit holds")
		case family == 128 && prefix.Overlaps(ipv4InIPv6):
			r.fault(keyTrustedProxies, text, Malformed, "has IPv4 addresses in the form of IPv6", "write them as IPv4, such as 10.0.0.0/8 or 192.0.2.7")
		}
		proxies = append(proxies, prefix)
	}
	return proxies
}
