package infra

import (
	"slices"

	"swarm-scale/topology"
)

// Group is a set of nodes that the same traffic reaches. On AWS it is a security group.
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

// Rule lets one kind of traffic in. The package whose workload listens at the port makes the rule. Other traffic is kept out.
type Rule struct {
	Name     string // unique; part of the resource's name
	To       Group
	From     *Group // the To of another rule, or AllNodes; nil: anywhere
	Protocol Protocol
	Port     int
	Why      string // the rule's description on AWS
}
