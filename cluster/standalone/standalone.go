// Package standalone is the walk-through's cluster. Its engines keep their state in one Consul. A standalone Swarm manager, which
// is no member, places containers. An agent on every member announces it. An overlay network connects the containers.
//
// With three managers each has a server of Consul, and a Swarm manager. One of these is the primary, the others are its replicas. Every other
// node has an agent of Consul.
//
// Standalone Swarm and the engines that work with it get no more security fixes.
package standalone

import (
	"fmt"

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
	nodes    []*infra.Node
	managers []*infra.Node // run Consul and the Swarm manager
	engines  map[string]engine.Engine
	agents   map[string]pulumi.Resource // of Consul, by the node's name; with several managers
	inside   pulumi.ResourceOption

	manager *infra.Node // stands for a manager that works

	generation pulumi.StringOutput // of Consul's data
	provider   *docker.Provider    // the Swarm manager
	hooks      *pulumi.ResourceHookBinding
	overlay    *docker.Network
}

var _ cluster.Cluster = (*swarm)(nil)

// New makes the cluster. All engines are set up in parallel. When its engine is ready, Consul starts, and each node pulls Swarm's
// image. Then the manager and the members' agents start. The longest chain of steps does not grow with the number of members.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines) (cluster.Cluster, error) {
	c := &swarm{settings: s, nodes: machines.Nodes, managers: machines.Of(topology.Manager), engines: map[string]engine.Engine{}, agents: map[string]pulumi.Resource{}}
	c.manager = c.first()
	if err := ctx.RegisterComponentResource("swarm-scale:cluster:StandaloneSwarm", "swarm", c); err != nil {
		return nil, err
	}
	c.inside = pulumi.Parent(c)
	for _, node := range c.nodes {
		own, err := c.newEngine(ctx, node)
		if err != nil {
			return nil, err
		}
		c.engines[node.Name] = own
	}
	var err error
	if c.generation, err = c.newConsul(ctx); err != nil {
		return nil, err
	}
	members, err := c.newMembers(ctx)
	if err != nil {
		return nil, err
	}
	if c.provider, err = engine.NewProvider(ctx, "swarm", c.manager, c.inside); err != nil {
		return nil, err
	}
	if c.hooks, err = engine.NewHooks(ctx, "swarm", c.manager, "tcp://"+c.managerAddress()); err != nil {
		return nil, err
	}
	if c.overlay, err = c.newOverlay(ctx, members); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"network": c.overlay.Name})
}

// first returns the first manager, which every cluster has.
func (c *swarm) first() *infra.Node { return c.managers[0] }

// several reports whether there is more than one manager.
func (c *swarm) several() bool { return len(c.managers) > 1 }

// isMember reports whether Swarm places containers on the role's nodes.
func isMember(role topology.Role) bool {
	return role != topology.Manager && role != topology.LoadBalancer
}

// members returns the nodes on which Swarm places containers.
func (c *swarm) members() []*infra.Node {
	var members []*infra.Node
	for _, node := range c.nodes {
		if isMember(node.Role) {
			members = append(members, node)
		}
	}
	return members
}

// ManagerURL implements cluster.Cluster. Interlock is only for clusters with one manager.
func (c *swarm) ManagerURL() string {
	return fmt.Sprintf("tcp://%s:%d", c.first().Address, managerPort)
}

// managerAddress returns the Swarm manager's address and port, on a manager.
func (c *swarm) managerAddress() string { return fmt.Sprintf("%s:%d", c.server(), managerPort) }

// consul returns the address and port at which a node asks Consul.
func (c *swarm) consul() string { return fmt.Sprintf("%s:%d", c.server(), consulPort) }

// server returns the only manager's address, or the loopback.
func (c *swarm) server() string {
	if c.several() {
		return loopback
	}
	return c.first().Address.String()
}

// discovery returns Swarm's discovery URL.
func (c *swarm) discovery() string { return "consul://" + c.consul() + "/" }

// engineAddress returns the address and port at which a node's engine is announced.
func engineAddress(node *infra.Node) string { return fmt.Sprintf("%s:%d", node.Address, enginePort) }
