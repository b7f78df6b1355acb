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

// newMembers runs the Swarm manager and the members' agents. The resource that it returns exists once the manager reports every
// member healthy.
func (c *swarm) newMembers(ctx *pulumi.Context) (pulumi.Resource, error) {
	manager, err := c.newManager(ctx)
	if err != nil {
		return nil, err
	}
	steps, names := []pulumi.Resource{manager}, []string{}
	engines := []string{engineAddress(c.first())}
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
	return c.first().Run(ctx, "swarm-members", infra.Script{
		Text: ports() + discoveryScript + membersScript + gossipScript + placesScript,
		Variables: map[string]pulumi.StringInput{
			// pulumi.Sprintf copies its arguments field by field, and makes "invalid IP" of an address.
			"MANAGER": pulumi.String(fmt.Sprintf("%s:%d", c.first().Address, managerPort)),
			"MEMBERS": pulumi.String(strings.Join(names, " ")),
			"CONSUL":  pulumi.String(c.consul()),
			"ENGINES": pulumi.String(strings.Join(engines, " ")),
			"NETWORK": pulumi.String(engine.OverlayName),
			"NOTES":   pulumi.String(engine.Notes),
			"WAIT":    pulumi.String(strconv.Itoa(membersWait)),
			// The script runs again when a member becomes another machine.
			"MACHINES": machines.ToStringArrayOutput().ApplyT(func(lines []string) string { return strings.Join(lines, "\n") }).(pulumi.StringOutput),
		},
	}, c.inside, pulumi.DependsOn(steps))
}

// newManager runs the Swarm manager.
func (c *swarm) newManager(ctx *pulumi.Context) (pulumi.Resource, error) {
	node := c.first()
	pulled, err := c.pull(ctx, node)
	if err != nil {
		return nil, err
	}
	return node.Run(ctx, "swarm-manager", infra.Script{
		Text: ports() + engine.MachineFunctions + engine.RestartFunctions + followConsulScript + containerScript + managerScript,
		Variables: map[string]pulumi.StringInput{
			"SWARM_IMAGE":     pulumi.String(c.settings.Images.Swarm),
			"GENERATION":      c.generation,
			"NOTES":           pulumi.String(engine.Notes),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"DISCOVERY":       pulumi.String(c.discovery()),
			"LOGIN_USER":      pulumi.String(node.User()),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn([]pulumi.Resource{pulled}))
}

// join runs the agent that announces a member.
func (c *swarm) join(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	pulled, err := c.pull(ctx, node)
	if err != nil {
		return nil, err
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
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn([]pulumi.Resource{pulled}))
}

// pull pulls Swarm's image on a node's engine. It does not wait for Consul.
func (c *swarm) pull(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	return docker.NewRemoteImage(ctx, "swarm-image-"+node.Name, &docker.RemoteImageArgs{Name: pulumi.String(c.settings.Images.Swarm)},
		append(node.Follow(), pulumi.Provider(c.engines[node.Name].Provider), c.inside, pulumi.DependsOn(c.engines[node.Name].Ready))...)
}
