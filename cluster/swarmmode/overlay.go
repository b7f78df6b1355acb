package swarmmode

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// overlayName is the walk-through's name for the network of the members' containers.
const overlayName = "mynet"

// newOverlay makes the network on which services find each other by name. It is the swarm's, and is replaced with the swarm.
//
// What it carries is not encrypted: for that, Docker needs IPsec in the kernels, and where that is missing it says nothing and encrypts
// nothing.
//
// Another range replaces the network and every service on it. So a network that exists keeps its range unless somebody sets one.
func (c *swarm) newOverlay(ctx *pulumi.Context, members pulumi.Resource) (*docker.Network, error) {
	addresses := c.settings.Overlay
	options := append(c.follow(), pulumi.ResourceHooks(c.hooks), c.inside, pulumi.DependsOn([]pulumi.Resource{members}))
	if !addresses.Fixed {
		options = append(options, pulumi.IgnoreChanges([]string{"ipamConfigs"}))
	}
	return docker.NewNetwork(ctx, overlayName, &docker.NetworkArgs{
		Name:   pulumi.String(overlayName),
		Driver: pulumi.String("overlay"),
		IpamConfigs: docker.NetworkIpamConfigArray{docker.NetworkIpamConfigArgs{
			Subnet:  pulumi.String(addresses.Range.String()),
			Gateway: pulumi.String(addresses.Range.Addr().Next().String()),
		}},
	}, options...)
}

// follow returns the options of a resource that is the swarm's: it is replaced with the swarm, and goes with it.
func (c *swarm) follow() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{
		pulumi.Provider(c.provider), pulumi.DeletedWith(c.made), pulumi.ReplacementTrigger(c.id), pulumi.DeleteBeforeReplace(true),
	}
}
