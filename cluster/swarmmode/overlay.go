package swarmmode

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
)

// newOverlay makes the network of the services. It is the swarm's, and is replaced with the swarm.
//
// What it carries is not encrypted: for that, Docker needs IPsec in the kernels. Where that is missing it says nothing and encrypts nothing.
func (c *swarm) newOverlay(ctx *pulumi.Context, members pulumi.Resource) (*docker.Network, error) {
	return engine.NewOverlay(ctx, c.settings.Overlay, append(c.follow(), pulumi.ResourceHooks(c.hooks), c.inside, pulumi.DependsOn([]pulumi.Resource{members}))...)
}

// follow returns the options of a resource that is the swarm's: it is replaced with the swarm, and goes with it.
func (c *swarm) follow() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{
		pulumi.Provider(c.provider), pulumi.DeletedWith(c.made), pulumi.ReplacementTrigger(c.id), pulumi.DeleteBeforeReplace(true),
	}
}
