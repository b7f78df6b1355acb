package standalone

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// How much memory Consul may use where each node has it, in MiB. An agent of release 1.14 took 86, two thirds of them its program.
const (
	serverMemory      = 384
	consulAgentMemory = 128
)

// loopback is where Consul and the Swarm manager serve a node with several managers. The address is the same on every one, so whatever asks
// does not change with the manager that is asked.
const loopback = "127.0.0.1"

var (
	//go:embed scripts/own-consul.sh
	ownConsulScript string
	//go:embed scripts/consul-member.sh
	consulMemberScript string
	//go:embed scripts/consul-leader.sh
	consulLeaderScript string
	//go:embed scripts/consul-generation.sh
	consulGenerationScript string
)

// Memory returns how much memory the cluster's own programs may use on a node of each role, besides what every cluster had, in MiB.
func Memory(s settings.Settings) map[topology.Role]int {
	memory := map[topology.Role]int{}
	if len(s.Managers) > 1 {
		for _, spec := range topology.Roles() {
			if spec.Role != topology.Manager {
				memory[spec.Role] = consulAgentMemory
			}
		}
	}
	return memory
}

// newQuorum runs a server of Consul on each manager, and an agent on every other node. An engine takes one address of a store. So it asks its own
// node's Consul, which finds a server that works. newQuorum returns the generation of Consul's data.
//
// An engine that kept its state in the only Consul of a stack with one manager restarts with the new address. Half of the nodes do, and then the
// other half.
func (c *swarm) newQuorum(ctx *pulumi.Context) (pulumi.StringOutput, error) {
	var engines, servers []pulumi.Resource
	for _, node := range c.managers {
		engines = append(engines, c.engines[node.Name].Ready...)
	}
	for _, node := range c.managers {
		// Together, because new servers begin only together.
		server, err := c.runConsul(ctx, node, engines)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		servers = append(servers, server)
	}
	before := servers
	for _, half := range []int{1, 0} { // number modulo 2, as the web containers' waves
		var agents []pulumi.Resource
		for _, node := range c.nodes {
			if node.Role == topology.Manager || node.Number%2 != half {
				continue
			}
			agent, err := c.runConsul(ctx, node, slices.Concat(before, c.engines[node.Name].Ready))
			if err != nil {
				return pulumi.StringOutput{}, err
			}
			agents = append(agents, agent)
			c.agents[node.Name] = agent
		}
		before = slices.Concat(before, agents)
	}
	c.manager = infra.Choose(ctx, "consul-leader", ports()+consulLeaderScript, c.managers, done(servers), firstWithLeader)
	machines := pulumi.StringArray{}
	for _, node := range c.managers {
		machines = append(machines, pulumi.Sprintf("%s: %s", node.Name, node.Identity))
	}
	known, err := c.manager.Run(ctx, "consul-generation", infra.Script{
		Text: consulGenerationScript,
		Variables: map[string]pulumi.StringInput{
			"CONSUL":   pulumi.String(c.consul()),
			"MACHINES": joinLines(machines),
		},
	}, c.inside, pulumi.DependsOn(servers))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return known.Stdout.ApplyT(generation).(pulumi.StringOutput), nil
}

// runConsul runs Consul on a node: a server on a manager, an agent elsewhere.
func (c *swarm) runConsul(ctx *pulumi.Context, node *infra.Node, after []pulumi.Resource) (pulumi.Resource, error) {
	name, server, memory := node.Name+"-consul", "no", consulAgentMemory
	if node.Role == topology.Manager {
		server, memory = "yes", serverMemory
	}
	if node == c.first() {
		name = "consul" // as where it is the only one
	}
	var servers []string
	for _, manager := range c.managers {
		servers = append(servers, manager.Address.String())
	}
	return node.Run(ctx, name, infra.Script{
		Text: ports() + engine.RestartFunctions + containerScript + ownConsulScript + consulMemberScript,
		Variables: map[string]pulumi.StringInput{
			"CONSUL_IMAGE":    pulumi.String(c.settings.Images.Consul),
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"SERVERS":         pulumi.String(strings.Join(servers, " ")),
			"SERVER":          pulumi.String(server),
			"MEMORY":          pulumi.String(strconv.Itoa(memory) + "m"),
			"NOTES":           pulumi.String(engine.Notes),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn(after))
}

// firstWithLeader returns the index of the first manager whose Consul knows a leader, or 0 if none does. It is the same one at each deployment
// as long as it works.
func firstWithLeader(answers []string) int {
	return max(0, slices.IndexFunc(answers, func(answer string) bool {
		lines := strings.Split(strings.TrimSpace(answer), "\n")
		return strings.Contains(lines[len(lines)-1], ":") // before it may be what the login shell says
	}))
}

// done returns an output that is known once the resources exist.
func done(resources []pulumi.Resource) pulumi.Output {
	var ids pulumi.Array
	for _, resource := range resources {
		ids = append(ids, resource.(pulumi.CustomResource).ID())
	}
	return ids.ToArrayOutput()
}
