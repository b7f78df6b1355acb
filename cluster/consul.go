package cluster

import (
	_ "embed"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

//go:embed scripts/consul.sh
var consulScript string

// newConsul runs the key-value store in which nodes are announced and overlay networks are kept. Engines, manager and agents
// wait for it by themselves, so nothing here has to wait for them.
func (s *standaloneSwarm) newConsul(ctx *pulumi.Context) error {
	_, err := s.manager.Run(ctx, "consul", infra.Script{
		Text: containerScript + consulScript,
		Variables: map[string]pulumi.StringInput{
			"CONSUL_IMAGE":    pulumi.String(s.settings.Images.Consul),
			"PRIVATE_ADDRESS": pulumi.String(s.manager.Address.String()),
		},
		When: infra.OnCreateAndDelete,
	}, s.inside, pulumi.DependsOn(s.engines[s.manager.Name].Ready))
	return err
}
