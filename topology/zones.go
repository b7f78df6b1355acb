package topology

import (
	"encoding/binary"
	"net/netip"
	"slices"
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

// Managers chooses the nodes that manage the cluster, count of them, from nodes in that many zones: the first manager, worker and store, as
// far as there are, and frontends with low numbers. Each next one is in a zone that has as few as any. So of three in three zones each is in
// another one, and of five no zone has more than two. Most of them are left when one zone is lost.
//
// The choice of three begins the choice of five. Another number of frontends changes it only if a chosen one goes. There are fewer than count
// if the nodes do not suffice.
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
	for len(chosen) < count && len(candidates) > 0 {
		next := 0
		for i, node := range candidates {
			if inZone[node.Zone] < inZone[candidates[next].Zone] {
				next = i
			}
		}
		node := candidates[next]
		if inZone[node.Zone] == share {
			break
		}
		chosen = append(chosen, node)
		inZone[node.Zone]++
		candidates = slices.Delete(candidates, next, next+1)
	}
	return chosen
}
