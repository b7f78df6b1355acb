package swarmmode

import (
	_ "embed"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/cluster/engine/install"
	"swarm-scale/infra"
	"swarm-scale/topology"
)

//go:embed scripts/engine.sh
var engineScript string

// openFiles is how many files each process of a service may have open at once. The provider cannot set it for one service.
const openFiles = 24_576

// newEngine sets up a node's engine.
func (c *swarm) newEngine(ctx *pulumi.Context, node *infra.Node) (engine.Engine, error) {
	setup := engine.Setup{
		Cluster:   c.settings.Cluster,
		Kind:      install.Maintained,
		Memory:    node.Memory,
		Script:    engineScript,
		Variables: map[string]pulumi.StringInput{"OPEN_FILES": pulumi.String(strconv.Itoa(openFiles))},
	}
	// Load balancers and managers of their own run none of the programs.
	if node.Role != topology.LoadBalancer && node.Role != topology.Manager {
		setup.Architecture = c.settings.Architecture
	}
	return engine.New(ctx, node, setup, c.inside)
}
