package topology

import (
	"encoding/binary"
	"net/netip"
)

// Subnets returns the subnets of that many zones: the first one, and those of its size that follow it. One past the end of IPv4 is
// invalid.
func Subnets(first netip.Prefix, zones int) []netip.Prefix {
	subnets := []netip.Prefix{first}
	for len(subnets) < zones {
		subnets = append(subnets, following(subnets[len(subnets)-1]))
	}
	return subnets
}

// following returns the subnet of the same size that follows. It is invalid past the end of IPv4.
func following(subnet netip.Prefix) netip.Prefix {
	first := subnet.Masked().Addr()
	if !first.Is4() {
		return netip.Prefix{}
	}
	bytes := first.As4()
	next := uint64(binary.BigEndian.Uint32(bytes[:])) + 1<<(32-subnet.Bits())
	if next >= 1<<32 {
		return netip.Prefix{}
	}
	binary.BigEndian.PutUint32(bytes[:], uint32(next))
	return netip.PrefixFrom(netip.AddrFrom4(bytes), subnet.Bits())
}

// Managers chooses the nodes that manage the cluster, count of them, from nodes in that many zones. Each zone has as few as possible: of
// three managers in three zones each is in another one. Where there is a choice, it is the first manager, worker or store, which every
// cluster has, and then a frontend with a low number. So another number of frontends changes the choice only if a chosen one goes.
func Managers(nodes []Node, count, zones int) []Node {
	var candidates, chosen []Node
	for _, role := range []Role{Manager, Worker, Store, Frontend} {
		for _, node := range nodes {
			if node.Role == role && (node.Number == 1 || role == Frontend) {
				candidates = append(candidates, node)
			}
		}
	}
	share, inZone := (count+zones-1)/zones, map[int]int{}
	for _, node := range candidates {
		if len(chosen) < count && inZone[node.Zone] < share {
			chosen = append(chosen, node)
			inZone[node.Zone]++
		}
	}
	return chosen
}
