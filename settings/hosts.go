package settings

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"swarm-scale/topology"
)

const defaultSSHPort = 22

// hostNamePattern matches a name for a resolver. A last label of digits alone belongs to an IPv4 address.
var hostNamePattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_-]{0,62}\.)*([A-Za-z_]|[0-9]+[A-Za-z_-])[A-Za-z0-9_-]{0,62}$`)

// unrouted are the address ranges that are not routed on the internet (IANA's registries of special-purpose addresses).
var unrouted = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),  // this network
	netip.MustParsePrefix("10.0.0.0/8"), // private
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"),  // behind a carrier's NAT; many VPNs use it
	netip.MustParsePrefix("127.0.0.0/8"),    // the machine itself
	netip.MustParsePrefix("169.254.0.0/16"), // link-local
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("224.0.0.0/3"),    // multicast and reserved
	netip.MustParsePrefix("::1/128"),        // the machine itself
	netip.MustParsePrefix("fc00::/7"),       // private
	netip.MustParsePrefix("fe80::/10"),      // link-local
}

// within reports whether an address range is inside another one.
func within(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// isPublicRange reports whether some address of a range is routed on the internet.
func isPublicRange(prefix netip.Prefix) bool {
	return !slices.ContainsFunc(unrouted, func(outer netip.Prefix) bool { return within(outer, prefix) })
}

// isPublic reports whether an address is routed on the internet.
func isPublic(address netip.Addr) bool {
	return isPublicRange(netip.PrefixFrom(address, address.BitLen()))
}

// hosts returns the listed machines in the order of the nodes, and the nodes with their addresses. A machine without a node is a
// spare. It is checked, and not used.
func (r *reader) hosts(counts topology.Counts, zones int, user string) ([]Host, []topology.Node) {
	nodes := topology.Names(counts, zones)
	var listed []Host
	decoder := json.NewDecoder(strings.NewReader(r.text(keyHosts)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&listed); err != nil {
		r.fault(keyHosts, "", Malformed, "is not a list of machines ("+err.Error()+")",
			"list every machine as {name, address, hostKey}, with privateAddress, port, user and zone where they differ from the defaults")
		return nil, nil
	}
	publicHosts := r.boolean(keyAllowPublicHosts)
	places := make([]topology.Node, len(listed))
	for i := range listed {
		places[i] = r.host(fmt.Sprintf("%s[%d]", keyHosts, i), &listed[i], zones, user, publicHosts)
	}
	if err := topology.CheckUnique(slices.DeleteFunc(slices.Clone(places), func(node topology.Node) bool {
		return node.Name == "" || !node.Address.IsValid()
	})); err != nil {
		r.fault(keyHosts, "", Conflict, "has something twice", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	r.oneMachineEach(listed, places)
	if counts.Of(topology.Store) == 0 {
		r.storesAmong(listed)
	}
	var chosen []Host
	for i, node := range nodes {
		at := slices.IndexFunc(listed, func(host Host) bool { return host.Name == node.Name })
		if at < 0 {
			r.fault(keyHosts, "", Missing, "has no machine named "+node.Name, "add one, or ask for fewer nodes of its role")
			continue
		}
		chosen = append(chosen, listed[at])
		nodes[i].Address, nodes[i].Zone = places[at].Address, places[at].Zone
	}
	return chosen, nodes
}

// oneMachineEach records a fault for every two nodes that SSH reaches at one place. Nodes with one private address have a fault already.
func (r *reader) oneMachineEach(listed []Host, places []topology.Node) {
	place := func(host Host) string {
		name := strings.ToLower(host.Address)
		if address, err := netip.ParseAddr(name); err == nil {
			name = address.Unmap().String()
		}
		return net.JoinHostPort(name, strconv.Itoa(host.Port))
	}
	for i, host := range listed {
		twin := slices.IndexFunc(listed[:i], func(other Host) bool { return place(other) == place(host) })
		if twin >= 0 && places[twin].Address != places[i].Address {
			r.fault(keyHosts, "", Conflict, fmt.Sprintf("has one machine twice: SSH reaches %s and %s at %s", listed[twin].Name, host.Name, place(host)),
				"give each node a machine of its own, or the address and port at which SSH reaches it")
		}
	}
}

// host fills in one machine's defaults and checks it. It returns the node that the machine becomes, with name, zone and address.
func (r *reader) host(key string, host *Host, zones int, user string, publicHosts bool) topology.Node {
	node := topology.Node{Name: host.Name}
	if !slices.ContainsFunc(topology.Room(), func(known topology.Node) bool { return known.Name == host.Name }) {
		r.fault(key+".name", host.Name, Unknown, "is not a node of the cluster", "use manager, interlock, store, frontend01, frontend02 …, or worker01, worker02 …")
	}
	if host.User == "" {
		host.User = user
	}
	r.userName(key+".user", host.User)
	if host.Port == 0 {
		host.Port = defaultSSHPort
	}
	if host.Port < 1 || host.Port > 65535 {
		r.fault(key+".port", strconv.Itoa(host.Port), OutOfRange, "is not a TCP port", "set it to 1 … 65535, or leave it out for %d", defaultSSHPort)
	}
	if host.Zone == 0 {
		host.Zone = 1
	}
	if host.Zone < 1 || host.Zone > zones {
		r.fault(key+".zone", strconv.Itoa(host.Zone), OutOfRange, "is not one of the stack's zones", "set it to 1 or more, up to the setting %s, which is %d, or leave it out for 1", keyZones, zones)
	}
	node.Zone = host.Zone
	if _, err := netip.ParseAddr(host.Address); err != nil && !hostNamePattern.MatchString(host.Address) {
		r.fault(key+".address", host.Address, Malformed, "is neither an address nor a host name", "set it to the address at which SSH reaches the machine")
	}
	if host.PrivateAddress == "" {
		host.PrivateAddress = host.Address
	}
	address, err := netip.ParseAddr(host.PrivateAddress)
	switch {
	case err != nil || !address.Is4() || !address.IsGlobalUnicast() && !address.IsLinkLocalUnicast():
		r.fault(key+".privateAddress", host.PrivateAddress, Malformed, "is not a machine's IPv4 address", "set it to the address at which the other machines reach this one")
	case hasFirstBridges(netip.PrefixFrom(address, address.BitLen())):
		r.fault(key+".privateAddress", host.PrivateAddress, Conflict, "is where every engine has its own networks, 172.17.0.0/16 and 172.18.0.0/16, so that other nodes do not reach it",
			"give the machine an address in another range")
	case isPublic(address) && !publicHosts:
		r.fault(key+".privateAddress", host.PrivateAddress, Insecure, "is a public address, at which Docker, Swarm and Consul would listen for the other machines",
			"set it to an address in a private network, or say that you mean it, and that only the packet filter keeps others out: pulumi config set allowPublicHosts true")
	}
	node.Address = address
	host.HostKey = r.hostKey(key+".hostKey", strings.TrimSpace(host.HostKey), host.Address)
	return node
}

// hostKeyTypes are the kinds of host keys by which the login can be verified. For RSA and DSA pulumi-command asks for the signature that
// has the key's name. That is SHA-1, which OpenSSH 8.8 and newer refuse.
var hostKeyTypes = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}

// hostKey checks a machine's host key. It returns the key without a comment.
func (r *reader) hostKey(key, text, address string) string {
	if isPrivateKey(text) {
		r.fault(key, text, Insecure, "is a private key",
			"set it to the content of the .pub file beside it, and make a new key pair if somebody else has seen this one")
		return text
	}
	public, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(rest) > 0 {
		r.fault(key, text, Malformed, "is not an SSH host key", "set it to the line that `ssh-keyscan -t ed25519 %s` prints, without the name in front", address)
		return text
	}
	kind := public.Type()
	if strings.HasPrefix(text, "@") {
		kind = strings.Fields(text)[0] // of a line for known_hosts: @revoked, @cert-authority
	}
	if !slices.Contains(hostKeyTypes, kind) {
		r.fault(key, kind, Unknown, "is not a kind of host key by which the login can be verified", "use the machine's Ed25519 key: ssh-keyscan -t ed25519 %s", address)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}

// architectureOfHosts returns the setting architecture, or amd64. Nothing asks the machines before the first resource.
func (r *reader) architectureOfHosts() string {
	if r.text(keyArchitecture) == "" {
		return amd64
	}
	return r.oneOf(keyArchitecture, amd64, arm64)
}
