package settings

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// mostPerAddress is the highest limit of an address. It is as good as none.
const mostPerAddress = 1_000_000

// namePattern matches a host name in lower case: labels of letters, digits and inner hyphens.
var namePattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// list returns the parts of a setting, with spaces, commas or line breaks between them.
func (r *reader) list(key string) []string {
	return strings.FieldsFunc(r.text(key), func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
}

func (r *reader) voteNames() []string {
	var names []string
	for _, name := range r.list(keyVoteNames) {
		lower := strings.TrimSuffix(strings.ToLower(name), ".")
		if len(lower) > 253 || !namePattern.MatchString(lower) {
			r.fault(keyVoteNames, name, Malformed, "is not a host name", "write names alone, without scheme, port or path, such as vote.example.org")
		} else if _, err := netip.ParseAddr(lower); err == nil {
			r.fault(keyVoteNames, name, Malformed, "is an address", "leave it out, since the vote page is served under addresses anyway")
		}
		names = append(names, lower)
	}
	return names
}

func (r *reader) trustedProxies() []netip.Prefix {
	var proxies []netip.Prefix
	for _, text := range r.list(keyTrustedProxies) {
		prefix, err := netip.ParsePrefix(text)
		if address, addressErr := netip.ParseAddr(text); addressErr == nil && address.Zone() == "" {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		switch {
		case err != nil:
			r.fault(keyTrustedProxies, text, Malformed, "is not an address range", "write the addresses of the proxies in front, such as 10.0.0.0/8 or 192.0.2.7")
		case prefix.Bits() == 0:
			r.fault(keyTrustedProxies, text, Insecure, "trusts everybody", "name the proxies alone: who is trusted can pretend to come from any address, and no limit holds")
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies
}
