package settings

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"swarm-scale/topology"
)

const (
	// containersPerNode is the most that one node has on the overlay network: a Redis and a web container, or PostgreSQL and the
	// results page.
	containersPerNode = 2
	// takenByNetwork is how many addresses of its range a network keeps: the first, the gateway's and the last.
	takenByNetwork = 3
)

// newOverlay is the range of a network that the stack makes when nobody sets one. It is in none of the ranges that engines take for
// their own networks (moby, ipamutils: 172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16, and 10.0.0.0/24 upwards for overlays), nor in
// the default ones of AWS, Google Cloud, Kubernetes and Podman. Its 1,021 addresses are enough for every node of the address plan.
var newOverlay = netip.MustParsePrefix("10.77.0.0/22")

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
	if overlay.Fixed {
		prefix, err := netip.ParsePrefix(value)
		if err != nil || !prefix.Addr().Is4() {
			r.fault(keyOverlay, value, Malformed, "is not an IPv4 range", "write it as %s", newOverlay)
			return overlay
		}
		if prefix != prefix.Masked() {
			r.fault(keyOverlay, value, Malformed, "has host bits set", "write it as %s", prefix.Masked())
			return overlay
		}
		overlay.Range = prefix
	}
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
	switch {
	case !slices.ContainsFunc(forOverlays, func(outer netip.Prefix) bool { return within(outer, overlay.Range) }):
		r.fault(keyOverlay, value, Conflict, "is not a private range", "choose one such as %s", newOverlay)
	case slices.ContainsFunc(dockerBridges, overlay.Range.Overlaps):
		r.fault(keyOverlay, value, Conflict, "has addresses that engines give to their own networks, 172.17.0.0/16 to 172.31.0.0/16", "choose another range, such as %s", newOverlay)
	case s.AWS.VPC.IsValid() && overlay.Range.Overlaps(s.AWS.VPC):
		r.fault(keyOverlay, overlay.Range.String(), Conflict, fmt.Sprintf("has addresses of vpcCidr %s", s.AWS.VPC), "choose a private range outside it, of /%d or larger", longest)
	}
	if overlay.Range.Bits() > longest {
		r.fault(keyOverlay, value, OutOfRange, fmt.Sprintf("has too few addresses for the %d containers of %d nodes", most, members), "choose a range of /%d or larger", longest)
	}
	// On AWS all nodes are in the VPC, whose fault is enough.
	if machines := inside(overlay.Range, s); len(machines) > 0 && !s.AWS.VPC.IsValid() {
		r.fault(keyOverlay, overlay.Range.String(), Conflict, "has addresses of machines, "+strings.Join(machines, ", "), "choose a private range without them, of /%d or larger", longest)
	}
	return overlay
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
