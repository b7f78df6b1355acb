package settings

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"swarm-scale/topology"
)

const (
	// containersPerNode is the most that one node has on the overlay network: a Redis and a web container, or the results page and
	// PostgreSQL or, without stores, a worker.
	containersPerNode = 2
	// takenByNetwork is how many addresses of its range a network keeps: the first, the gateway's and the last.
	takenByNetwork = 3
)

// newOverlay is the range of a network that the stack makes when nobody sets one. It is in none of the ranges that engines take for
// their own networks (moby, ipamutils: 172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16, and 10.0.0.0/24 upwards for overlays), nor in
// the default ones of AWS, Google Cloud, Kubernetes and Podman. Its 1,021 addresses are enough for every node of the address plan.
var newOverlay = netip.MustParsePrefix("10.77.0.0/22")

// newSwarmPools are ranges for the networks that a swarm makes for itself, for when nobody sets one. The stack's services use none of
// these networks.
var newSwarmPools = []netip.Prefix{netip.MustParsePrefix("10.77.4.0/22"), netip.MustParsePrefix("100.77.4.0/22"), netip.MustParsePrefix("198.18.4.0/22")}

// longestSwarmPool is the prefix length of a swarm's own network.
const longestSwarmPool = 24

// dockerBridges are the ranges of engines' own bridges, 172.17.0.0/16 to 172.31.0.0/16.
var dockerBridges = []netip.Prefix{
	netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("172.18.0.0/15"), netip.MustParsePrefix("172.20.0.0/14"), netip.MustParsePrefix("172.24.0.0/13"),
}

// firstBridges are those that every node's engine has, docker0 and docker_gwbridge. It does not send packets for them to other machines.
var firstBridges = []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("172.18.0.0/16")}

// hasFirstBridges reports whether a range has addresses that the nodes' engines keep for themselves.
func hasFirstBridges(addresses netip.Prefix) bool {
	return slices.ContainsFunc(firstBridges, addresses.Overlaps)
}

// forOverlays are the ranges that no host on the internet has (RFC 1918, RFC 6598, RFC 2544).
var forOverlays = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"),
}

// overlay reads the range of the containers' network, and checks that it has room, and that nothing else has its addresses: no node, not
// the VPC, no bridge of an engine.
func (r *reader) overlay(s Settings) Overlay {
	value := r.text(keyOverlay)
	overlay := Overlay{Range: newOverlay, Fixed: value != ""}
	members := 0
	for _, node := range s.Nodes {
		if node.Role != topology.Manager && node.Role != topology.LoadBalancer {
			members++
		}
	}
	most := members * containersPerNode
	longest := 32
	for 1<<(32-longest) < most+takenByNetwork {
		longest--
	}
	var ok bool
	if overlay.Range, ok = r.containersRange(s, keyOverlay, newOverlay, longest); ok && overlay.Range.Bits() > longest {
		r.fault(keyOverlay, value, OutOfRange, fmt.Sprintf("has too few addresses for the %d containers of %d nodes", most, members), "choose a range of /%d or larger", longest)
	}
	return overlay
}

// swarmPool reads the range that a swarm takes its own networks from, and checks it as overlay does. If nobody sets one, it is the first of
// newSwarmPools that nothing else has.
func (r *reader) swarmPool(s Settings) netip.Prefix {
	if s.Cluster != SwarmMode {
		return netip.Prefix{}
	}
	if r.text(keySwarmPool) == "" {
		for _, pool := range newSwarmPools {
			if !pool.Overlaps(s.Overlay.Range) && !pool.Overlaps(s.AWS.VPC) && len(inside(pool, s)) == 0 {
				return pool
			}
		}
	}
	pool, ok := r.containersRange(s, keySwarmPool, newSwarmPools[0], longestSwarmPool)
	if !ok {
		return pool
	}
	if pool.Bits() > longestSwarmPool {
		r.fault(keySwarmPool, pool.String(), OutOfRange, "has too few addresses for a network of the swarm", "choose a range of /%d or larger", longestSwarmPool)
	}
	if pool.Overlaps(s.Overlay.Range) {
		r.fault(keySwarmPool, pool.String(), Conflict, fmt.Sprintf("has addresses of overlayCidr %s", s.Overlay.Range), "choose a private range outside it, of /%d or larger", longestSwarmPool)
	}
	return pool
}

// containersRange reads a range of addresses of containers, and reports what else has its addresses. ok is false if it is no range. A
// remedy names the longest prefix.
func (r *reader) containersRange(s Settings, key string, preset netip.Prefix, longest int) (addresses netip.Prefix, ok bool) {
	addresses = preset
	value := r.text(key)
	if value != "" {
		prefix, err := netip.ParsePrefix(value)
		if err != nil || !prefix.Addr().Is4() {
			r.fault(key, value, Malformed, "is not an IPv4 range", "write it as %s", preset)
			return preset, false
		}
		if prefix != prefix.Masked() {
			r.fault(key, value, Malformed, "has host bits set", "write it as %s", prefix.Masked())
			return preset, false
		}
		addresses = prefix
	}
	switch {
	case !slices.ContainsFunc(forOverlays, func(outer netip.Prefix) bool { return within(outer, addresses) }):
		r.fault(key, value, Conflict, "is not a private range", "choose one such as %s", preset)
		return preset, false
	case slices.ContainsFunc(dockerBridges, addresses.Overlaps):
		r.fault(key, value, Conflict, "has addresses that engines give to their own networks, 172.17.0.0/16 to 172.31.0.0/16", "choose another range, such as %s", preset)
	case s.AWS.VPC.IsValid() && addresses.Overlaps(s.AWS.VPC):
		r.fault(key, addresses.String(), Conflict, fmt.Sprintf("has addresses of vpcCidr %s", s.AWS.VPC), "choose a private range outside it, of /%d or larger", longest)
	}
	// On AWS all nodes are in the VPC, whose fault is enough.
	if machines := inside(addresses, s); len(machines) > 0 && !s.AWS.VPC.IsValid() {
		r.fault(key, addresses.String(), Conflict, "has addresses of machines, "+strings.Join(machines, ", "), "choose a private range without them, of /%d or larger", longest)
	}
	return addresses, true
}

// inside lists the machines that have an address in the range, each as "manager (10.0.0.11)".
func inside(addresses netip.Prefix, s Settings) []string {
	var machines []string
	add := func(name string, address netip.Addr) {
		if text := fmt.Sprintf("%s (%s)", name, address); addresses.Contains(address) && !slices.Contains(machines, text) {
			machines = append(machines, text)
		}
	}
	for i, node := range s.Nodes {
		add(node.Name, node.Address)
		if i < len(s.Hosts) {
			// A name has no address here.
			if address, err := netip.ParseAddr(s.Hosts[i].Address); err == nil {
				add(node.Name, address)
			}
		}
	}
	return machines
}
