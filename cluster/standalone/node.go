package standalone

import (
	_ "embed"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/cluster/engine/install"
	"swarm-scale/infra"
)

var (
	//go:embed scripts/engine.sh
	engineScript string
	//go:embed scripts/follow-consul.sh
	followConsulScript string
	//go:embed scripts/discovery.sh
	discoveryScript string
	//go:embed scripts/consul-node.sh
	consulNodeScript string
	//go:embed scripts/reach.sh
	reachScript string
	//go:embed scripts/tend-containers.sh
	tendContainersScript string
)

// newEngine sets up a node's engine, which keeps its state in Consul.
func (c *swarm) newEngine(ctx *pulumi.Context, node *infra.Node) (engine.Engine, error) {
	setup := engine.Setup{
		Cluster: c.settings.Cluster,
		Kind:    install.WithConsul,
		Script:  ports() + followConsulScript + engineScript,
		Variables: map[string]pulumi.StringInput{
			"CLUSTER_STORE":   pulumi.String("consul://" + c.consul()),
			"TEND_CONTAINERS": pulumi.String(infra.Head + ports() + engine.RestartFunctions + discoveryScript + consulNodeScript + reachScript + tendContainersScript),
		},
	}
	if c.several() {
		// Until the node has Consul, the engine goes on with the store that it has.
		setup.Script = ports() + followConsulScript + ownConsulScript + "CLUSTER_STORE=$(store_now \"$CLUSTER_STORE\")\n" + engineScript
	}
	// Only members run the programs, and on them Swarm gives out memory.
	if isMember(node.Role) {
		setup.Architecture, setup.Memory = c.settings.Architecture, node.Memory+agentMemory
	}
	return engine.New(ctx, node, setup, c.inside)
}
