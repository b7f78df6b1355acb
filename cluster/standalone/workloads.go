package standalone

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
)

// Run implements cluster.Cluster.
func (c *swarm) Run(ctx *pulumi.Context, w cluster.Workload, parent pulumi.Resource) (*cluster.Running, error) {
	running, err := c.start(ctx, w, parent)
	if err != nil {
		return nil, err
	}
	return running, engine.AwaitHealth(ctx, c, running, parent)
}

// start starts a workload. The Swarm manager starts a member's container. A constraint names the node.
func (c *swarm) start(ctx *pulumi.Context, w cluster.Workload, parent pulumi.Resource) (*cluster.Running, error) {
	own := c.engines[w.Node.Name]
	if !isMember(w.Node.Role) {
		return own.Run(ctx, w, parent)
	}
	inside := pulumi.Parent(parent)
	needs, err := own.Prepare(ctx, w, inside)
	if err != nil {
		return nil, err
	}
	arguments := engine.Arguments(w, needs)
	arguments.Envs = append(pulumi.ToStringArray([]string{engine.Constraint(w.Node)}), engine.Environment(w)...)
	// Through the manager NetworksAdvanced fails: it disconnects a default network that does not exist.
	arguments.NetworkMode = c.overlay.Name.ToStringPtrOutput()
	ports, options := published(w)
	arguments.Ports = ports
	needs.After = append(needs.After, c.overlay)
	return engine.Start(ctx, w, arguments, needs, append(append(options, w.Node.Follow()...),
		pulumi.Provider(c.provider), pulumi.ResourceHooks(c.hooks), inside,
		// A network with containers cannot be deleted.
		pulumi.ReplaceWith([]pulumi.Resource{c.overlay, w.Node.Machine}),
	)...)
}

// published returns the ports that a member publishes for the workload.
func published(w cluster.Workload) (docker.ContainerPortArray, []pulumi.ResourceOption) {
	ports, options := docker.ContainerPortArray{}, []pulumi.ResourceOption{}
	for _, port := range w.Ports {
		arguments := docker.ContainerPortArgs{Internal: pulumi.Int(port.Inside), External: pulumi.Int(port.Outside)}
		if port.Public && w.Node.HasOwnPublicAddress() {
			// The port has to be on the public address, too. The manager reports only the private one, which must not count as a
			// change.
			options = append(options, pulumi.IgnoreChanges([]string{"ports"}))
		} else {
			// The manager reports the node's private address in any case. With another one here, every `pulumi up` would replace
			// the container.
			arguments.Ip = pulumi.String(w.Node.Address.String())
		}
		ports = append(ports, arguments)
	}
	return ports, options
}

// Present implements cluster.Cluster.
func (c *swarm) Present(ctx *pulumi.Context, workloads []*cluster.Running) pulumi.StringOutput {
	return engine.Present(ctx, workloads)
}

// Script implements cluster.Cluster.
func (c *swarm) Script(ctx *pulumi.Context, name string, about *cluster.Running, script infra.Script, options ...pulumi.ResourceOption) (pulumi.Resource, error) {
	node, host := c.manager, "tcp://"+c.managerAddress()
	if about != nil {
		node, host = about.Node, engine.OwnEndpoint
	}
	script.Text = "WORKLOADS_HOST=" + host + "\n" + engine.WorkloadFunctions + script.Text
	return node.Run(ctx, name, script, options...)
}
