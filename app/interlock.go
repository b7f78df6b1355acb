package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/topology"
)

// newInterlock runs the walk-through's load balancer. It watches the Swarm manager's events and takes every container with
// the poll's host and domain name for a backend.
func (a *App) newInterlock(ctx *pulumi.Context, node *infra.Node) (*docker.Container, error) {
	image, err := a.pull(ctx, node, "interlock", a.settings.Images.Interlock)
	if err != nil {
		return nil, err
	}
	store := a.cluster.Places[a.machines.One(topology.Store).Name]
	return a.placeOutside(ctx, loadBalancer, node, container{
		name:    "interlock",
		image:   image,
		command: []string{"--swarm-url", store.DockerHost, "--plugin", "haproxy", "start"},
		// It gives up where the manager does not answer.
	}, []pulumi.Resource{store.Network}, nil)
}
