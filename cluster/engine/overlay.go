package engine

import (
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// OverlayName is the walk-through's name for the network of the members' containers.
const OverlayName = "mynet"

// Ports of overlay networks, on every node that has one (Docker's documentation, "Getting started with Swarm mode").
const (
	GossipPort = 7946
	VXLANPort  = 4789
)

// OverlayTraffic returns the rules for the traffic of overlay networks between nodes.
func OverlayTraffic() []infra.Rule {
	nodes := infra.AllNodes()
	return []infra.Rule{
		{Name: "overlay-control-tcp", To: nodes, From: &nodes, Protocol: infra.TCP, Port: GossipPort, Why: "overlay control plane, among the nodes"},
		{Name: "overlay-control-udp", To: nodes, From: &nodes, Protocol: infra.UDP, Port: GossipPort, Why: "overlay control plane, among the nodes"},
		{Name: "overlay-data", To: nodes, From: &nodes, Protocol: infra.UDP, Port: VXLANPort, Why: "overlay data plane (VXLAN), among the nodes"},
	}
}

// NewOverlay makes the network on which the members' containers find each other by name.
//
// Another range replaces the network and every container on it. So a network that exists keeps its range unless somebody sets one.
func NewOverlay(ctx *pulumi.Context, addresses settings.Overlay, options ...pulumi.ResourceOption) (*docker.Network, error) {
	if !addresses.Fixed {
		options = slices.Concat(options, []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"ipamConfigs"})})
	}
	return docker.NewNetwork(ctx, OverlayName, &docker.NetworkArgs{
		Name:   pulumi.String(OverlayName),
		Driver: pulumi.String("overlay"),
		IpamConfigs: docker.NetworkIpamConfigArray{docker.NetworkIpamConfigArgs{
			Subnet: pulumi.String(addresses.Range.String()),
			// It is the one that the engine chooses. A restarted engine says which one that was, and the provider would take
			// it for a change.
			Gateway: pulumi.String(addresses.Range.Addr().Next().String()),
		}},
	}, options...)
}
