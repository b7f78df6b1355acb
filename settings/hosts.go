package settings

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"swarm-scale/topology"
)

const defaultSSHPort = 22

var hostNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*$`)

// hosts returns the listed machines in the order of the nodes, and the nodes with their addresses. A machine without a node is a
// spare. It is checked, and not used.
func (r *reader) hosts(nodes []topology.Node, user string) ([]Host, []topology.Node) {
	var listed []Host
	decoder := json.NewDecoder(strings.NewReader(r.text(keyHosts)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&listed); err != nil {
		r.fault(keyHosts, "", Malformed, "is not a list of machines ("+err.Error()+")",
			"list every machine as {name, address, hostKey}, with privateAddress, port and user where they differ from the defaults")
		return nil, nil
	}
	places := make([]topology.Node, len(listed))
	for i := range listed {
		places[i] = r.host(fmt.Sprintf("%s[%d]", keyHosts, i), &listed[i], user)
	}
	if err := topology.CheckUnique(slices.DeleteFunc(slices.Clone(places), func(node topology.Node) bool {
		return node.Name == "" || !node.Address.IsValid()
	})); err != nil {
		r.fault(keyHosts, "", Conflict, "has something twice", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var chosen []Host
	for i, node := range nodes {
		at := slices.IndexFunc(listed, func(host Host) bool { return host.Name == node.Name })
		if at < 0 {
			r.fault(keyHosts, "", Missing, "has no machine named "+node.Name, "add one, or ask for fewer frontends or workers")
			continue
		}
		chosen = append(chosen, listed[at])
		nodes[i].Address = places[at].Address
	}
	return chosen, nodes
}

// host fills in one machine's defaults and checks it. It returns the node that the machine becomes, with name and address.
func (r *reader) host(key string, host *Host, user string) topology.Node {
	node := topology.Node{Name: host.Name}
	if !slices.ContainsFunc(topology.Room(), func(known topology.Node) bool { return known.Name == host.Name }) {
		r.fault(key+".name", host.Name, Unknown, "is not a node of the cluster", "use manager, interlock, store, frontend01, frontend02 …, or worker01, worker02 …")
	}
	if host.User == "" {
		host.User = user
	}
	if !userPattern.MatchString(host.User) {
		r.fault(key+".user", host.User, Malformed, "is not a user name", "set it to the user that SSH logs in as")
	}
	if host.Port == 0 {
		host.Port = defaultSSHPort
	}
	if host.Port < 1 || host.Port > 65535 {
		r.fault(key+".port", strconv.Itoa(host.Port), OutOfRange, "is not a TCP port", "set it to 1 … 65535, or leave it out for %d", defaultSSHPort)
	}
	if _, err := netip.ParseAddr(host.Address); err != nil && !hostNamePattern.MatchString(host.Address) {
		r.fault(key+".address", host.Address, Malformed, "is neither an address nor a host name", "set it to the address at which SSH reaches the machine")
	}
	if host.PrivateAddress == "" {
		host.PrivateAddress = host.Address
	}
	address, err := netip.ParseAddr(host.PrivateAddress)
	if err != nil || !address.Is4() {
		r.fault(key+".privateAddress", host.PrivateAddress, Malformed, "is not an IPv4 address", "set it to the address at which the other machines reach this one")
	}
	node.Address = address
	host.HostKey = strings.TrimSpace(host.HostKey)
	if public, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(host.HostKey)); err != nil || len(rest) > 0 {
		r.fault(key+".hostKey", host.HostKey, Malformed, "is not an SSH host key", "set it to the line that `ssh-keyscan -t ed25519 %s` prints, without the name in front", host.Address)
	} else {
		host.HostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	}
	return node
}

// architectureOfHosts returns the setting architecture, or amd64. Nothing asks the machines before the first resource.
func (r *reader) architectureOfHosts() string {
	if r.text(keyArchitecture) == "" {
		return amd64
	}
	return r.oneOf(keyArchitecture, amd64, arm64)
}
