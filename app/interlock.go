package app

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/addressplan"
	"swarm-scale/infra"
)

// newInterlock runs the walk-through's load balancer. It watches the Swarm manager's events and takes every container with
// the poll's host and domain name for a backend.
func (a *App) newInterlock(ctx *pulumi.Context, node *infra.Node) error {
	engine := a.cluster.Engines[node.Name]
	image, err := a.pull(ctx, node, "interlock", a.settings.Images.Interlock)
	if err != nil {
		return err
	}
	store := a.cluster.Places[a.machines.One(addressplan.Store).Name]
	arguments := container{
		name:    "interlock",
		image:   image,
		command: []string{"--swarm-url", store.DockerHost, "--plugin", "haproxy", "start"},
	}.arguments()
	arguments.Ports = docker.ContainerPortArray{docker.ContainerPortArgs{Internal: pulumi.Int(80), External: pulumi.Int(80)}}
	_, err = docker.NewContainer(ctx, "interlock", arguments, append(node.Follow(),
		pulumi.Provider(engine.Provider), a.inside,
		// It gives up where the manager does not answer.
		pulumi.DependsOn(append([]pulumi.Resource{store.Network}, engine.Ready...)),
		pulumi.DeleteBeforeReplace(true),
	)...)
	if err != nil {
		return fmt.Errorf("the load balancer: %w", err)
	}
	return nil
}
