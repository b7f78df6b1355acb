package topology_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"swarm-scale/topology"
)

func TestSubnetsFollowTheFirst(t *testing.T) {
	for _, test := range []struct {
		first string
		zones int
		want  string
	}{
		{"192.168.33.0/24", 1, "[192.168.33.0/24]"},
		{"192.168.33.0/24", 3, "[192.168.33.0/24 192.168.34.0/24 192.168.35.0/24]"},
		{"192.168.255.0/24", 2, "[192.168.255.0/24 192.169.0.0/24]"},
		{"10.0.0.0/16", 3, "[10.0.0.0/16 10.1.0.0/16 10.2.0.0/16]"},
		{"10.0.0.0/28", 3, "[10.0.0.0/28 10.0.0.16/28 10.0.0.32/28]"},
		{"255.255.254.0/24", 3, "[255.255.254.0/24 255.255.255.0/24 invalid Prefix]"},
		{"0.0.0.0/0", 3, "[0.0.0.0/0 invalid Prefix invalid Prefix]"},
		{"2001:db8::/64", 2, "[2001:db8::/64 invalid Prefix]"},
	} {
		if got := fmt.Sprint(topology.Subnets(netip.MustParsePrefix(test.first), test.zones)); got != test.want {
			t.Errorf("%d zones from %s: %s, want %s", test.zones, test.first, got, test.want)
		}
	}
	if got := topology.Subnets(netip.Prefix{}, 3); got[0].IsValid() || len(got) != 3 {
		t.Errorf("zones from no subnet: %v", got)
	}
}

// TestNodesAreSpreadOverTheZones holds zone and address of every node, and that those of the first zone have the address that they would
// have in one zone.
func TestNodesAreSpreadOverTheZones(t *testing.T) {
	all := topology.Counts{topology.LoadBalancer: 2, topology.Frontend: 5, topology.Worker: 2, topology.Store: 3}
	nodes, err := topology.New(topology.Subnets(walkThrough[0], 3), all)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := topology.New(walkThrough, all)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"manager 1 192.168.33.11", "interlock 1 192.168.33.12", "interlock02 2 192.168.34.17",
		"frontend01 1 192.168.33.20", "frontend02 2 192.168.34.21", "frontend03 3 192.168.35.22", "frontend04 1 192.168.33.23", "frontend05 2 192.168.34.24",
		"worker01 1 192.168.33.200", "worker02 2 192.168.34.201", "store 1 192.168.33.250", "store02 2 192.168.34.251", "store03 3 192.168.35.252",
	}
	var got []string
	for i, node := range nodes {
		got = append(got, fmt.Sprintf("%s %d %s", node.Name, node.Zone, node.Address))
		if alone[i].Name != node.Name || node.Zone == 1 && alone[i].Address != node.Address {
			t.Errorf("%s is at %s, and in one zone it is %s at %s", node.Name, node.Address, alone[i].Name, alone[i].Address)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// Every zone's subnet is checked.
	_, err = topology.New([]netip.Prefix{walkThrough[0], {}}, all)
	checkFaults(t, err, []string{"interlock02: address (none: the address range ends before it) is outside the subnet invalid Prefix"})
}

// without returns the counts of a cluster with three frontends that has no node of the role.
func without(role topology.Role) topology.Counts {
	of := counts(3, 1)
	of[role] = 0
	return of
}

func TestManagersAreInDifferentZones(t *testing.T) {
	for name, test := range map[string]struct {
		counts       topology.Counts
		moved        map[string]int // to another zone, as hosts may be
		count, zones int
		want         string
	}{
		"one zone":                    {counts: counts(2, 1), count: 3, zones: 1, want: "manager worker01 store"},
		"no store":                    {counts: without(topology.Store), count: 3, zones: 1, want: "manager worker01 frontend01"},
		"no store, three zones":       {counts: without(topology.Store), count: 3, zones: 3, want: "manager frontend02 frontend03"},
		"one manager":                 {counts: counts(2, 1), count: 1, zones: 1, want: "manager"},
		"three zones":                 {counts: counts(3, 1), count: 3, zones: 3, want: "manager frontend02 frontend03"},
		"more of everything":          {counts: counts(9, 5), count: 3, zones: 3, want: "manager frontend02 frontend03"},
		"others in the zones already": {counts: counts(3, 1), moved: map[string]int{"manager": 2, "store": 3}, count: 3, zones: 3, want: "manager worker01 store"},
		"a late frontend": {
			counts: counts(4, 1), moved: map[string]int{"frontend03": 2, "frontend04": 3}, count: 3, zones: 3, want: "manager frontend02 frontend04",
		},
		"two zones":                       {counts: counts(2, 1), count: 3, zones: 2, want: "manager frontend02 worker01"},
		"five in one zone":                {counts: counts(2, 1), count: 5, zones: 1, want: "manager worker01 store frontend01 frontend02"},
		"five of four":                    {counts: counts(1, 9), count: 5, zones: 1, want: "manager worker01 store frontend01"},
		"five in three zones":             {counts: counts(5, 1), count: 5, zones: 3, want: "manager frontend02 frontend03 worker01 frontend05"},
		"five of many":                    {counts: counts(20, 9), count: 5, zones: 3, want: "manager frontend02 frontend03 worker01 frontend05"},
		"a zone would have three of five": {counts: counts(3, 1), count: 5, zones: 3, want: "manager frontend02 frontend03 worker01"},
		"five of machines that exist": {
			counts: counts(3, 1), moved: map[string]int{"worker01": 2, "frontend03": 2, "store": 3}, count: 5, zones: 3, want: "manager worker01 store frontend01 frontend02",
		},
	} {
		nodes := topology.Names(test.counts, test.zones)
		for i, node := range nodes {
			if zone, ok := test.moved[node.Name]; ok {
				nodes[i].Zone = zone
			}
		}
		var got []string
		for _, node := range topology.Managers(nodes, test.count, test.zones) {
			got = append(got, node.Name)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", name, got, test.want)
		}
	}
}

// TestMoreManagersKeepTheFormer holds that three managers are the first of five, wherever the nodes are, and that most of either are left when
// any zone is lost. On the first three are the members of etcd.
func TestMoreManagersKeepTheFormer(t *testing.T) {
	for place := range 243 { // five nodes, each in one of three zones
		nodes := topology.Names(counts(5, 1), 3)
		for i, name := range []string{"manager", "worker01", "store", "frontend01", "frontend02"} {
			at := slices.IndexFunc(nodes, func(node topology.Node) bool { return node.Name == name })
			nodes[at].Zone = 1 + place/[]int{1, 3, 9, 27, 81}[i]%3
		}
		for _, zones := range []int{1, 3} {
			before := topology.Managers(nodes, 1, zones)
			for _, count := range []int{3, 5} {
				chosen := topology.Managers(nodes, count, zones)
				if len(chosen) < count {
					break // the settings refuse it
				}
				if !slices.Equal(chosen[:len(before)], before) {
					t.Fatalf("of %v %d managers are %v, and %d are %v", nodes, len(before), before, count, chosen)
				}
				inZone := map[int]int{}
				for _, node := range chosen {
					if inZone[node.Zone]++; zones == 3 && inZone[node.Zone] > count/2 {
						t.Fatalf("of %v zone %d has most of the managers %v", nodes, node.Zone, chosen)
					}
				}
				before = chosen
			}
		}
	}
}
