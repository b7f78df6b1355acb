package infra

import (
	"slices"

	"swarm-scale/topology"
)

// Group is a set of nodes that the same traffic may reach. On AWS it is a security group.
type Group struct {
	Name        string          // unique; the security group's resource has it
	Description string          // AWS replaces a security group whose description changes
	Roles       []topology.Role // the roles whose nodes are in it; empty: all
}

// Contains reports whether the role's nodes are in the group.
func (g Group) Contains(role topology.Role) bool {
	return len(g.Roles) == 0 || slices.Contains(g.Roles, role)
}

// AllNodes is every node of the stack.
func AllNodes() Group {
	return Group{Name: "members", Description: "Engines and overlay, among the nodes"}
}

// Protocol is what a port speaks.
type Protocol string

// The protocols.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Rule lets one kind of traffic in. Whoever listens at a port describes its traffic. What no rule lets in is kept out.
type Rule struct {
	Name     string // unique; the rule's resource is named after it
	To       Group
	From     *Group // itself the To of a rule, or AllNodes; nil: anywhere
	Protocol Protocol
	Port     int
	Why      string // for a person who reads the rules
}
