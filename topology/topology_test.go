package topology_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"swarm-scale/topology"
)

// walkThrough are the subnets of a cluster in one zone.
var walkThrough = []netip.Prefix{netip.MustParsePrefix("192.168.33.0/24")}

func counts(frontends, workers int) topology.Counts {
	return topology.Counts{topology.Frontend: frontends, topology.Worker: workers}
}

func TestAddressesAreTheWalkThroughs(t *testing.T) {
	nodes, err := topology.New(walkThrough, counts(2, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"manager manager 1 192.168.33.11",
		"interlock interlock 1 192.168.33.12",
		"frontend01 frontend 1 192.168.33.20",
		"frontend02 frontend 2 192.168.33.21",
		"worker01 worker 1 192.168.33.200",
		"store store 1 192.168.33.250",
	}
	var got []string
	for _, node := range nodes {
		got = append(got, fmt.Sprintf("%s %s %d %s", node.Name, node.Role, node.Number, node.Address))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNewPlacesNodesOrReportsFaults(t *testing.T) {
	for name, test := range map[string]struct {
		subnet             string
		frontends, workers int
		addresses          map[string]string // of some nodes, by name
		faults             []string          // parts of the error; none: no error
	}{
		"the largest cluster": {
			subnet: "192.168.33.0/24", frontends: 180, workers: 50,
			addresses: map[string]string{"frontend99": "192.168.33.118", "frontend180": "192.168.33.199", "worker50": "192.168.33.249"},
		},
		"another range":         {subnet: "10.1.2.0/24", frontends: 1, workers: 1, addresses: map[string]string{"store": "10.1.2.250"}},
		"a wider range":         {subnet: "10.0.0.0/16", frontends: 1, workers: 1, addresses: map[string]string{"store": "10.0.0.250"}},
		"host bits are ignored": {subnet: "10.1.2.99/24", frontends: 1, workers: 1, addresses: map[string]string{"manager": "10.1.2.11"}},
		"one node too many of two roles": {
			subnet: "192.168.33.0/24", frontends: 181, workers: 51,
			faults: []string{"181 nodes of the role frontend", "1 to 180", "51 nodes of the role worker", "1 to 50"},
		},
		"no node of two roles": {subnet: "192.168.33.0/24", faults: []string{"0 nodes of the role frontend", "0 nodes of the role worker"}},
		"a subnet that is too small": {
			subnet: "192.168.33.0/25", frontends: 1, workers: 1,
			faults: []string{"worker01: address 192.168.33.200 is outside the subnet 192.168.33.0/25", "store: address 192.168.33.250"},
		},
		"the last address of a small subnet": {
			subnet: "192.168.33.0/27", frontends: 12, workers: 1,
			faults: []string{"frontend12: address 192.168.33.31 is reserved by AWS"},
		},
		"the end of the address family": {
			subnet: "255.255.255.128/25", frontends: 1, workers: 1,
			faults: []string{"store: address (none: the address range ends before it) is outside"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, err := topology.New([]netip.Prefix{netip.MustParsePrefix(test.subnet)}, counts(test.frontends, test.workers))
			checkFaults(t, err, test.faults)
			for name, address := range test.addresses {
				at := slices.IndexFunc(nodes, func(node topology.Node) bool { return node.Name == name })
				if at < 0 || nodes[at].Address.String() != address {
					t.Errorf("%s is not at %s in %v", name, address, nodes)
				}
			}
		})
	}
}

// TestFirstNodeKeepsNameAndAddress holds that further nodes of a role change neither for the first one.
func TestFirstNodeKeepsNameAndAddress(t *testing.T) {
	nodes, err := topology.New(walkThrough, topology.Counts{topology.Manager: 3, topology.LoadBalancer: 2, topology.Store: 2})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, node := range nodes {
		got = append(got, fmt.Sprintf("%s %s", node.Name, node.Address))
	}
	want := []string{
		"manager 192.168.33.11", "manager02 192.168.33.13", "manager03 192.168.33.14", "interlock 192.168.33.12", "interlock02 192.168.33.17",
		"frontend01 192.168.33.20", "worker01 192.168.33.200", "store 192.168.33.250", "store02 192.168.33.251",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOnlyStoresMayBeMissing holds which role a cluster can do without.
func TestOnlyStoresMayBeMissing(t *testing.T) {
	for _, spec := range topology.Roles() {
		nodes, err := topology.New(walkThrough, without(spec.Role))
		if ok := spec.Role == topology.Store; (err == nil) != ok {
			t.Errorf("without %s: %v", spec.Role, err)
		}
		if err == nil && (len(nodes) != 6 || topology.Count(nodes, spec.Role) != 0) {
			t.Errorf("without %s there are %v", spec.Role, nodes)
		}
	}
}

// TestRolesDoNotOverlap holds that the largest cluster fits a /24, with a name and an address for every node.
func TestRolesDoNotOverlap(t *testing.T) {
	most := topology.Counts{}
	for _, spec := range topology.Roles() {
		most[spec.Role] = spec.Most
	}
	nodes, err := topology.New(walkThrough, most)
	if err != nil || len(nodes) != len(topology.Room()) {
		t.Errorf("%d nodes, want %d: %v", len(nodes), len(topology.Room()), err)
	}
}

func TestCheckReportsBadAddresses(t *testing.T) {
	node := func(name, address string) topology.Node {
		return topology.Node{Name: name, Zone: 1, Address: netip.MustParseAddr(address)}
	}
	for name, test := range map[string]struct {
		nodes  []topology.Node
		faults []string
	}{
		"good addresses":    {nodes: []topology.Node{node("a", "192.168.33.4"), node("b", "192.168.33.254")}},
		"the first address": {nodes: []topology.Node{node("a", "192.168.33.0")}, faults: []string{"a: address 192.168.33.0 is reserved"}},
		"the router":        {nodes: []topology.Node{node("a", "192.168.33.1")}, faults: []string{"reserved by AWS"}},
		"the fourth":        {nodes: []topology.Node{node("a", "192.168.33.3")}, faults: []string{"reserved by AWS"}},
		"the broadcast":     {nodes: []topology.Node{node("a", "192.168.33.255")}, faults: []string{"reserved by AWS"}},
		"outside the subnet, and twice": {
			nodes:  []topology.Node{node("a", "10.0.0.9"), node("b", "10.0.0.9"), node("b", "192.168.33.9")},
			faults: []string{"a: address 10.0.0.9 is outside", "b: address 10.0.0.9 is also the address of a", "b: two nodes have this name"},
		},
	} {
		t.Run(name, func(t *testing.T) { checkFaults(t, topology.Check(walkThrough, test.nodes), test.faults) })
	}
}

func checkFaults(t *testing.T, err error, faults []string) {
	t.Helper()
	if len(faults) == 0 && err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	for _, fault := range faults {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("the error does not say %q:\n%v", fault, err)
		}
	}
}
