package infra

import (
	"slices"

	"swarm-scale/topology"
)

// Group is a set of nodes that the same traffic reaches. On AWS it is a security group, in a packet filter a set of addresses.
type Group struct {
	Name        string          // unique; also the resource's name
	Description string          // a changed one replaces the security group
	Roles       []topology.Role // whose nodes are in it; empty: all
}

// Contains reports whether the role's nodes are in the group.
func (g Group) Contains(role topology.Role) bool {
	return len(g.Roles) == 0 || slices.Contains(g.Roles, role)
}

// AllNodes returns the group of every node.
func AllNodes() Group {
	return Group{Name: "members", Description: "Engines and overlay, among the nodes"}
}

// Protocol is the transport protocol of a port.
type Protocol string

// The protocols.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Rule lets one kind of traffic in. The package whose workload listens at the port makes the rule. Security groups keep all other
// traffic out. Packet filters keep others away from the ports of rules with a From.
type Rule struct {
	Name string // unique; part of the resource's name
	To   Group
	From *Group // the To of another rule, or AllNodes; nil: anywhere
	// Containers are the nodes whose containers may send it, too: those on the default network of the node's engine, on which no
	// workload of the cluster's members is. nil: only the nodes themselves.
	Containers *Group
	Protocol   Protocol
	Port       int
	// ReadyPath is where the workload answers a GET by HTTP with 200 while it serves well. Empty: it has no such page.
	ReadyPath string
	Why       string // the rule's description on AWS
}
