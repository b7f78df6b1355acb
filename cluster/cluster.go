// Package cluster turns nodes into a cluster on which containers can be placed. What it tells the app is a Cluster: where a
// node's containers go, and what they have to carry to get there. How that comes about is one file's business: standalone
// Swarm in swarm.go; another kind of cluster is another file that returns a Cluster, and one line in New.
package cluster

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// Cluster is what the app knows of the cluster it runs on.
type Cluster struct {
	// Engines are the nodes' own engines by node name: images are built and pulled there, and containers of nodes that are
	// not members run there.
	Engines map[string]Engine
	// Places are where the members' containers go, by node name.
	Places map[string]Place
}

// Engine is a node's own Docker Engine.
type Engine struct {
	Provider *docker.Provider
	Ready    []pulumi.Resource // has to be there before the engine is used
}

// Place is where the containers of one member go.
type Place struct {
	Provider    *docker.Provider   // the engine or manager that takes the order
	Environment []string           // what the container's environment must carry to end up on the node
	NetworkMode pulumi.StringInput // the network on which containers of all members know each other by name
	// Network is that network: it has to be there first, and a container is made anew when it is.
	Network    pulumi.Resource
	DockerHost string // where docker, on the manager, reaches the engine or manager that takes the order
}

// New makes the cluster of a stack.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines) (*Cluster, error) {
	return newStandaloneSwarm(ctx, s, machines)
}
