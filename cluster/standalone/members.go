package standalone

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
)

// agentMemory is how much memory an agent may use, in MiB.
const agentMemory = 48

// onHostNetwork has a container ask its node's Consul, which serves the node alone.
const onHostNetwork = "--network host"

// replicationTTL is after which time a silent primary may be replaced. Measured: another one takes orders 16 s after a loss. At 5 s none ever is.
const replicationTTL = "20s"

// membersWait is how many seconds the members have to become healthy. The manager polls Consul every few seconds, and reports a
// new engine once it answers. A slow machine needs a minute.
const membersWait = 180

var (
	//go:embed scripts/container.sh
	containerScript string
	//go:embed scripts/swarm-manager.sh
	managerScript string
	//go:embed scripts/swarm-join.sh
	joinScript string
	//go:embed scripts/swarm-members.sh
	membersScript string
	//go:embed scripts/gossip.sh
	gossipScript string
	//go:embed scripts/network-places.sh
	placesScript string
)

// newMembers runs the Swarm managers and the members' agents. The resource that it returns exists once the manager reports every
// member healthy.
func (c *swarm) newMembers(ctx *pulumi.Context) (pulumi.Resource, error) {
	var steps []pulumi.Resource
	var names, engines []string
	managers := []string{engine.OwnEndpoint}
	if c.several() {
		managers = nil
	} else {
		engines = []string{engineAddress(c.first())}
	}
	for _, node := range c.managers {
		manager, err := c.newManager(ctx, node)
		if err != nil {
			return nil, err
		}
		steps = append(steps, manager)
		if c.several() {
			managers = append(managers, "tcp://"+engineAddress(node))
		}
	}
	machines := pulumi.StringArray{pulumi.Sprintf("the key-value store: %s", c.generation)}
	for _, node := range c.members() {
		join, err := c.join(ctx, node)
		if err != nil {
			return nil, err
		}
		steps, names = append(steps, join), append(names, node.Name)
		engines = append(engines, engineAddress(node))
		machines = append(machines, pulumi.Sprintf("%s: %s", node.Name, node.Identity))
	}
	return c.manager.Run(ctx, "swarm-members", infra.Script{
		Text: ports() + discoveryScript + membersScript + gossipScript + placesScript,
		Variables: map[string]pulumi.StringInput{
			"MANAGER":  pulumi.String(c.managerAddress()),
			"MANAGERS": pulumi.String(strings.Join(managers, " ")),
			"MEMBERS":  pulumi.String(strings.Join(names, " ")),
			"CONSUL":   pulumi.String(c.consul()),
			"ENGINES":  pulumi.String(strings.Join(engines, " ")),
			"NETWORK":  pulumi.String(engine.OverlayName),
			"NOTES":    pulumi.String(engine.Notes),
			"WAIT":     pulumi.String(strconv.Itoa(membersWait)),
			// The script runs again when a member becomes another machine.
			"MACHINES": joinLines(machines),
		},
	}, c.inside, pulumi.DependsOn(steps))
}

// joinLines returns texts as lines of one.
func joinLines(lines pulumi.StringArray) pulumi.StringOutput {
	return lines.ToStringArrayOutput().ApplyT(func(lines []string) string { return strings.Join(lines, "\n") }).(pulumi.StringOutput)
}

// newManager runs the Swarm manager on a node. Of several, the script pulls the image of all but the first one. A resource of the engine would be
// read by every refresh, also while the machine is away.
func (c *swarm) newManager(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	name := "swarm-manager"
	var after []pulumi.Resource
	if node == c.first() {
		pulled, err := c.pull(ctx, node)
		if err != nil {
			return nil, err
		}
		after = append(after, pulled)
	} else {
		name = node.Name + "-swarm-manager"
	}
	network, options := fmt.Sprintf("--publish %s:%d:2375", node.Address, managerPort), ""
	if c.several() {
		network = onHostNetwork
		options = fmt.Sprintf("--host tcp://%[1]s:%[2]d --host tcp://%[3]s:%[2]d --replication --replication-ttl %[4]s --advertise %[1]s:%[2]d",
			node.Address, managerPort, loopback, replicationTTL)
	}
	return node.Run(ctx, name, infra.Script{
		Text: ports() + engine.MachineFunctions + engine.RestartFunctions + followConsulScript + containerScript + managerScript,
		Variables: map[string]pulumi.StringInput{
			"SWARM_IMAGE":     pulumi.String(c.settings.Images.Swarm),
			"GENERATION":      c.generation,
			"NOTES":           pulumi.String(engine.Notes),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"DISCOVERY":       pulumi.String(c.discovery()),
			"LOGIN_USER":      pulumi.String(node.User()),
			"NETWORK":         pulumi.String(network),
			"OPTIONS":         pulumi.String(options),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn(after))
}

// join runs the agent that announces a member.
func (c *swarm) join(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	pulled, err := c.pull(ctx, node)
	if err != nil {
		return nil, err
	}
	after, network := []pulumi.Resource{pulled}, ""
	if c.several() {
		after, network = append(after, c.agents[node.Name]), onHostNetwork
	}
	return node.Run(ctx, node.Name+"-join", infra.Script{
		Text: ports() + engine.RestartFunctions + followConsulScript + containerScript + discoveryScript + joinScript,
		Variables: map[string]pulumi.StringInput{
			"SWARM_IMAGE":     pulumi.String(c.settings.Images.Swarm),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"DISCOVERY":       pulumi.String(c.discovery()),
			"CONSUL":          pulumi.String(c.consul()),
			"GENERATION":      c.generation,
			"NOTES":           pulumi.String(engine.Notes),
			"NODE_NAME":       pulumi.String(node.Name),
			"MEMORY":          pulumi.String(strconv.Itoa(agentMemory) + "m"),
			"NETWORK":         pulumi.String(network),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn(after))
}

// pull pulls Swarm's image on a node's engine. It does not wait for Consul.
func (c *swarm) pull(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	return docker.NewRemoteImage(ctx, "swarm-image-"+node.Name, &docker.RemoteImageArgs{Name: pulumi.String(c.settings.Images.Swarm)},
		append(node.Follow(), pulumi.Provider(c.engines[node.Name].Provider), c.inside, pulumi.DependsOn(c.engines[node.Name].Ready))...)
}
