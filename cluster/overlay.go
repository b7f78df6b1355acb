package cluster

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// overlayName is the walk-through's name for the network of the application's containers.
const overlayName = "mynet"

// newOverlay makes the network on which containers of all members know each other by name. It is made through the manager
// and is then visible on every engine that shares the manager's key-value store: it lives there, not on a machine, and has to
// be made anew when the store began anew.
func (s *standaloneSwarm) newOverlay(ctx *pulumi.Context, manager *docker.Provider, members pulumi.Resource) (*docker.Network, error) {
	return docker.NewNetwork(ctx, overlayName, &docker.NetworkArgs{
		Name:   pulumi.String(overlayName),
		Driver: pulumi.String("overlay"),
	}, pulumi.Provider(manager), s.inside,
		pulumi.DependsOn([]pulumi.Resource{members}),
		pulumi.DeletedWith(s.manager.Presence),
		pulumi.ReplacementTrigger(s.generation),
		pulumi.DeleteBeforeReplace(true),
	)
}
