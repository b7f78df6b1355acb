// Package topology says which nodes a cluster has, what they are called and which private address each one gets.
//
// The plan is the walk-through's: an offset from the start of the subnet for every role, so that 192.168.33.0/24 gives the
// manager 192.168.33.11, the first frontend 192.168.33.20 and the store 192.168.33.250. It is pure arithmetic: nothing here
// talks to a cloud.
package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Role is what a node is there for. A role decides the containers that run on the node, its firewall and its size.
type Role string

// The roles of the walk-through's six nodes.
const (
	Manager      Role = "manager"   // Consul and the Swarm manager; not a member of the cluster
	LoadBalancer Role = "interlock" // the load balancer; not a member of the cluster
	Frontend     Role = "frontend"  // one web container and its Redis
	Worker       Role = "worker"    // one worker container
	Store        Role = "store"     // PostgreSQL and the results page
)

// Offsets from the first address of the subnet, as in the walk-through's table of nodes.
const (
	managerOffset       = 11
	loadBalancerOffset  = 12
	firstFrontendOffset = 20
	firstWorkerOffset   = 200
	storeOffset         = 250
)

// MaxFrontends is how many frontends fit between the first frontend's offset and the first worker's: .20 to .199.
const MaxFrontends = firstWorkerOffset - firstFrontendOffset

// MaxWorkers is how many workers fit between the first worker's offset and the store's: .200 to .249.
const MaxWorkers = storeOffset - firstWorkerOffset

// Node is one machine of the plan.
type Node struct {
	Name    string     // host name, unique in the cluster: manager, interlock, frontend01, worker01, store
	Role    Role       // what the node is there for
	Number  int        // 1, 2, 3 … among the nodes of a numbered role; 0 where a role has one node only
	Address netip.Addr // private address, inside the subnet of the plan
}

// IsMember reports whether the node belongs to the Swarm cluster, that is, whether containers are scheduled on it through
// the Swarm manager. The manager and the load balancer stand outside, as in the walk-through.
func (r Role) IsMember() bool { return r == Frontend || r == Worker || r == Store }

// Suffix is a numbered node's number as names carry it: at least two digits, "01", "02", … "100".
func Suffix(number int) string { return fmt.Sprintf("%02d", number) }

// Names lists the nodes of a cluster in the plan's order, without addresses: manager, load balancer, frontends, workers,
// store.
func Names(frontends, workers int) []Node {
	nodes := []Node{{Name: string(Manager), Role: Manager}, {Name: string(LoadBalancer), Role: LoadBalancer}}
	for number := 1; number <= frontends; number++ {
		nodes = append(nodes, Node{Name: string(Frontend) + Suffix(number), Role: Frontend, Number: number})
	}
	for number := 1; number <= workers; number++ {
		nodes = append(nodes, Node{Name: string(Worker) + Suffix(number), Role: Worker, Number: number})
	}
	return append(nodes, Node{Name: string(Store), Role: Store})
}

// New gives every node of a cluster its private address inside the subnet. The result is in the order of Names.
//
// The error joins one fault for everything that does not fit: too few or too many nodes of a role, and addresses that lie
// outside the subnet or that AWS keeps for itself there.
func New(subnet netip.Prefix, frontends, workers int) ([]Node, error) {
	if err := CheckCounts(frontends, workers); err != nil {
		return nil, err
	}
	nodes := Names(frontends, workers)
	for i, node := range nodes {
		nodes[i].Address = nth(subnet, offset(node))
	}
	return nodes, Check(subnet, nodes)
}

// CheckCounts reports whether the plan has room for that many frontends and workers. A cluster needs at least one of each.
func CheckCounts(frontends, workers int) error {
	return errors.Join(
		checkCount("frontends", frontends, MaxFrontends, firstFrontendOffset),
		checkCount("workers", workers, MaxWorkers, firstWorkerOffset),
	)
}

func checkCount(what string, count, most, first int) error {
	if count >= 1 && count <= most {
		return nil
	}
	return fmt.Errorf("%d %s do not fit the address plan: it has room for 1 to %d, at .%d to .%d of the subnet",
		count, what, most, first, first+most-1)
}

// Check verifies a list of nodes against a subnet: every address inside it, none that AWS reserves (the first four and the
// last one of every subnet, by the VPC user guide), and everything CheckUnique asks for. The error joins all faults.
func Check(subnet netip.Prefix, nodes []Node) error {
	var faults []error
	for _, node := range nodes {
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

func offset(node Node) int {
	switch node.Role {
	case Manager:
		return managerOffset
	case LoadBalancer:
		return loadBalancerOffset
	case Frontend:
		return firstFrontendOffset + node.Number - 1
	case Worker:
		return firstWorkerOffset + node.Number - 1
	default:
		return storeOffset
	}
}

// nth is the address that many steps after the first one of the subnet. It is invalid where the address family ends before.
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
