// Package topology says which nodes a cluster has, what they are called and which private address each one gets.
//
// The plan is the walk-through's: every role has a range of offsets from the start of the subnet, so that 192.168.33.0/24
// gives the manager 192.168.33.11, the first frontend 192.168.33.20 and the store 192.168.33.250. With several zones each has a subnet,
// and a node has its offset in that of its zone. The package does no I/O.
package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Role is a node's purpose. It decides the workloads that run on the node, its firewall and its size.
type Role string

// The roles of the walk-through's six nodes.
const (
	Manager      Role = "manager"   // schedules containers and keeps the cluster's state
	LoadBalancer Role = "interlock" // the load balancer
	Frontend     Role = "frontend"  // one web container and its Redis
	Worker       Role = "worker"    // one worker container and, without a store, the results page
	Store        Role = "store"     // PostgreSQL and the results page
)

// Spec is a role's row in the address plan.
type Spec struct {
	Role Role
	// First and Next are offsets from the subnet's first address. The role's first node is at First, the second at Next. The
	// others follow one by one.
	First, Next int
	// Least and Most are the smallest and the largest number of nodes of the role.
	Least, Most int
	// Numbered says that the first node has a number, too: frontend01, frontend02. Without it the names are store, store02.
	// Names never change, because they are part of the resources' URNs.
	Numbered bool
}

// Roles returns the address plan, in the order in which nodes are listed. The first offsets are the walk-through's.
func Roles() []Spec {
	return []Spec{
		{Role: Manager, First: 11, Next: 13, Least: 1, Most: 5},
		{Role: LoadBalancer, First: 12, Next: 17, Least: 1, Most: 4},
		{Role: Frontend, First: 20, Next: 21, Least: 1, Most: 180, Numbered: true},
		{Role: Worker, First: 200, Next: 201, Least: 1, Most: 50, Numbered: true},
		{Role: Store, First: 250, Next: 251, Least: 0, Most: 3}, // none: somebody else keeps the database
	}
}

// Counts is the number of nodes of each role in a cluster. A role without an entry has one node.
type Counts map[Role]int

// Of returns the number of nodes of the role.
func (c Counts) Of(role Role) int {
	if count, ok := c[role]; ok {
		return count
	}
	return 1
}

// Node is one machine of the plan.
type Node struct {
	Name    string     // host name, unique in the cluster: manager, interlock, frontend01, worker01, store
	Role    Role       // its purpose
	Number  int        // 1, 2, 3 … among the nodes of its role
	Zone    int        // 1, 2, 3 …: nodes of one zone can fail together
	Address netip.Addr // private address
}

// Count returns how many of the nodes have the role.
func Count(nodes []Node, role Role) int {
	count := 0
	for _, node := range nodes {
		if node.Role == role {
			count++
		}
	}
	return count
}

// Suffix formats a number for a name, with at least two digits: "01", "02", … "100".
func Suffix(number int) string { return fmt.Sprintf("%02d", number) }

// name returns the name of the role's node with that number.
func (s Spec) name(number int) string {
	if number == 1 && !s.Numbered {
		return string(s.Role)
	}
	return string(s.Role) + Suffix(number)
}

// offset returns the offset of the role's node with that number, from the subnet's first address.
func (s Spec) offset(number int) int {
	if number == 1 {
		return s.First
	}
	return s.Next + number - 2
}

// Names lists the nodes of a cluster in the plan's order, without addresses: managers, load balancers, frontends, workers,
// stores. The nodes of a role are spread over the zones in turn.
func Names(counts Counts, zones int) []Node {
	var nodes []Node
	for _, spec := range Roles() {
		for number := 1; number <= counts.Of(spec.Role); number++ {
			nodes = append(nodes, Node{Name: spec.name(number), Role: spec.Role, Number: number, Zone: (number-1)%zones + 1})
		}
	}
	return nodes
}

// Room lists every node that the plan has room for, without addresses.
func Room() []Node {
	most := Counts{}
	for _, spec := range Roles() {
		most[spec.Role] = spec.Most
	}
	return Names(most, 1)
}

// New lists the nodes of a cluster in the order of Names, each with its private address inside the subnet of its zone. There are as many
// zones as subnets, in their order. A node's offset is the same in every subnet, so those of the first zone are where they would be
// without the others.
//
// The error joins all faults: too few or too many nodes of a role, addresses outside the subnet, addresses that AWS reserves.
func New(subnets []netip.Prefix, counts Counts) ([]Node, error) {
	var faults []error
	offsets := map[string]int{}
	for _, spec := range Roles() {
		count := counts.Of(spec.Role)
		if count < spec.Least || count > spec.Most {
			faults = append(faults, fmt.Errorf("%d nodes of the role %s do not fit the address plan: it has room for %d to %d", count, spec.Role, spec.Least, spec.Most))
			continue
		}
		for number := 1; number <= count; number++ {
			offsets[spec.name(number)] = spec.offset(number)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	nodes := Names(counts, len(subnets))
	for i, node := range nodes {
		nodes[i].Address = nth(subnets[node.Zone-1], offsets[node.Name])
	}
	return nodes, Check(subnets, nodes)
}

// Check verifies that every node's address is inside its zone's subnet and is not reserved by AWS, and what CheckUnique verifies. AWS
// reserves the first four and the last address of every subnet (VPC user guide). The error joins all faults.
func Check(subnets []netip.Prefix, nodes []Node) error {
	var faults []error
	for _, node := range nodes {
		subnet := subnets[node.Zone-1]
		switch {
		case !node.Address.IsValid() || !subnet.Contains(node.Address):
			faults = append(faults, fmt.Errorf("%s: address %s is outside the subnet %s: use a larger subnet, such as a /24",
				node.Name, describe(node.Address), subnet))
		case reservedByAWS(subnet, node.Address):
			faults = append(faults, fmt.Errorf(
				"%s: address %s is reserved by AWS in the subnet %s (its first four and its last address): use another subnet",
				node.Name, node.Address, subnet))
		}
	}
	return errors.Join(append(faults, CheckUnique(nodes))...)
}

// CheckUnique verifies that no two nodes share an address or a name. The error joins all faults.
func CheckUnique(nodes []Node) error {
	var faults []error
	for i, node := range nodes {
		if twin := slices.IndexFunc(nodes[:i], func(other Node) bool { return other.Address == node.Address }); twin >= 0 {
			faults = append(faults, fmt.Errorf("%s: address %s is also the address of %s: give each node its own",
				node.Name, describe(node.Address), nodes[twin].Name))
		}
		if slices.ContainsFunc(nodes[:i], func(other Node) bool { return other.Name == node.Name }) {
			faults = append(faults, fmt.Errorf("%s: two nodes have this name: give each node its own", node.Name))
		}
	}
	return errors.Join(faults...)
}

func describe(address netip.Addr) string {
	if !address.IsValid() {
		return "(none: the address range ends before it)"
	}
	return address.String()
}

// nth returns the address that many steps after the subnet's first one. It is invalid past the end of the address family.
func nth(subnet netip.Prefix, steps int) netip.Addr {
	address := subnet.Masked().Addr()
	for range steps {
		address = address.Next()
	}
	return address
}

func reservedByAWS(subnet netip.Prefix, address netip.Addr) bool {
	for step := range 4 {
		if nth(subnet, step) == address {
			return true
		}
	}
	// The last address of a subnet is the one whose successor lies outside.
	return !subnet.Contains(address.Next())
}
