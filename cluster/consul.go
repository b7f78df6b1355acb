package cluster

import (
	_ "embed"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

//go:embed scripts/consul.sh
var consulScript string

// newConsul runs the key-value store in which nodes are announced and overlay networks are kept. It returns its generation:
// a text that is another one each time the store begins with nothing.
func (s *standaloneSwarm) newConsul(ctx *pulumi.Context) (pulumi.StringOutput, error) {
	running, err := s.manager.Run(ctx, "consul", infra.Script{
		Text: containerScript + consulScript,
		Variables: map[string]pulumi.StringInput{
			"CONSUL_IMAGE":    pulumi.String(s.settings.Images.Consul),
			"PRIVATE_ADDRESS": pulumi.String(s.manager.Address.String()),
		},
		When: infra.OnCreateAndDelete,
	}, s.inside, pulumi.DependsOn(s.engines[s.manager.Name].Ready))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return running.Stdout.ApplyT(func(output string) string {
		_, generation, _ := strings.Cut(output, "generation: ")
		return strings.TrimSpace(generation)
	}).(pulumi.StringOutput), nil
}
