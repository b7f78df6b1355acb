// Package swarmmode is a cluster of Docker's own swarm mode. Its engines authenticate each other, and no engine listens on TCP. Each
// workload is a service that is pinned to its node. Load balancers are no members of the swarm.
//
// Workloads are services, and not plain containers on the swarm's network, because of what happens when all machines lose power at once:
// services come back by themselves. Of plain containers half stayed down, and sometimes two of them got one address.
package swarmmode

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// swarm is the cluster of a stack.
type swarm struct {
	pulumi.ResourceState

	settings settings.Settings
	managers []*infra.Node // the nodes that manage the swarm
	members  []*infra.Node // all that are in the swarm, in the address plan's order
	engines  map[string]engine.Engine
	joined   map[string]pulumi.Resource // by the node's name: it is in the swarm
	inside   pulumi.ResourceOption

	// manager stands for one of the managers that is in the swarm and answers.
	manager  *infra.Node
	made     pulumi.Resource     // the swarm
	id       pulumi.StringOutput // the swarm's ID
	provider *docker.Provider    // of the manager
	hooks    *pulumi.ResourceHookBinding
	overlay  *docker.Network
}

var _ cluster.Cluster = (*swarm)(nil)

// New makes the cluster. All engines are set up in parallel. Then the first manager makes the swarm, and the other members join it side by
// side. The longest chain of steps does not grow with the number of members.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines) (cluster.Cluster, error) {
	c := &swarm{settings: s, engines: map[string]engine.Engine{}, joined: map[string]pulumi.Resource{}}
	if err := ctx.RegisterComponentResource("swarm-scale:cluster:SwarmMode", "swarm", c); err != nil {
		return nil, err
	}
	c.inside = pulumi.Parent(c)
	for _, node := range machines.Nodes {
		own, err := c.newEngine(ctx, node)
		if err != nil {
			return nil, err
		}
		c.engines[node.Name] = own
		if isMember(node.Role) {
			c.members = append(c.members, node)
		}
	}
	for _, chosen := range s.Managers {
		c.managers = append(c.managers, machines.Named(chosen.Name))
	}
	members, err := c.newMembers(ctx)
	if err != nil {
		return nil, err
	}
	if c.provider, err = engine.NewProvider(ctx, "swarm", c.manager, c.inside); err != nil {
		return nil, err
	}
	if c.hooks, err = engine.NewHooks(ctx, "swarm", c.manager, engine.OwnEndpoint); err != nil {
		return nil, err
	}
	if c.overlay, err = c.newOverlay(ctx, members); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"network": c.overlay.Name})
}

// isMember reports whether the role's nodes are in the swarm.
func isMember(role topology.Role) bool { return role != topology.LoadBalancer }

// ManagerURL implements cluster.Cluster. Interlock does not work in swarm mode.
func (c *swarm) ManagerURL() string { return "" }
