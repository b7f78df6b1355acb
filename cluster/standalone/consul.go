package standalone

import (
	_ "embed"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

//go:embed scripts/consul.sh
var consulScript string

// newConsul runs Consul, the key-value store of nodes and overlay networks. It returns the generation of Consul's data. Each time
// Consul starts without data, the generation is another text.
func (c *swarm) newConsul(ctx *pulumi.Context) (pulumi.StringOutput, error) {
	if c.several() {
		return c.newQuorum(ctx)
	}
	node := c.first()
	running, err := node.Run(ctx, "consul", infra.Script{
		Text: ports() + containerScript + consulScript,
		Variables: map[string]pulumi.StringInput{
			"CONSUL_IMAGE":    pulumi.String(c.settings.Images.Consul),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn(c.engines[node.Name].Ready))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return running.Stdout.ApplyT(generation).(pulumi.StringOutput), nil
}

// generation returns the generation of Consul's data from what a script printed.
func generation(output string) string {
	_, generation, _ := strings.Cut(output, "generation: ")
	return strings.TrimSpace(generation)
}
