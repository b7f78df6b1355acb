package standalone

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// overlayName is the walk-through's name for the network of the members' containers.
const overlayName = "mynet"

// newOverlay makes the network on which the members' containers find each other by name. Every engine with the same Consul has it.
// It is in Consul, not on a machine, so it is replaced when Consul has started without data.
func (c *swarm) newOverlay(ctx *pulumi.Context, members pulumi.Resource) (*docker.Network, error) {
	return docker.NewNetwork(ctx, overlayName, &docker.NetworkArgs{
		Name:   pulumi.String(overlayName),
		Driver: pulumi.String("overlay"),
	}, pulumi.Provider(c.provider), c.inside,
		pulumi.DependsOn([]pulumi.Resource{members}),
		pulumi.DeletedWith(c.first().Presence),
		pulumi.ReplacementTrigger(c.generation),
		pulumi.DeleteBeforeReplace(true),
	)
}
