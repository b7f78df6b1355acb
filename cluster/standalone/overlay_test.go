package standalone

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"

	"swarm-scale/infra"
	"swarm-scale/topology"
)

// TestCollisionNamesTheNodes holds which nodes are said to be in a network's range.
func TestCollisionNamesTheNodes(t *testing.T) {
	node := func(name, address string) *infra.Node {
		return &infra.Node{Node: topology.Node{Name: name, Address: netip.MustParseAddr(address)}}
	}
	nodes := []*infra.Node{node("manager", "10.0.0.11"), node("store", "10.0.0.250"), node("worker01", "10.0.1.1")}
	for subnet, want := range map[string]string{
		"10.0.0.0/24": "(manager, store)", "10.0.1.0/24": "(worker01)", "10.0.0.0/16": "(manager, store, worker01)", "10.77.0.0/22": "", "": "", "fd00::/64": "",
	} {
		configs := []docker.NetworkIpamConfig{{}, {Subnet: &subnet}}
		got := collision(configs, nodes)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q in it", subnet, got, want)
		}
	}
	if got := collision(nil, nodes); got != "" {
		t.Errorf("a network of no known range: %q", got)
	}
}
