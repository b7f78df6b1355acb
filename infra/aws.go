package infra

import (
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// cloud is what every AWS resource of the stack has in common.
type cloud struct {
	settings settings.Settings
	provider *aws.Provider
	commands *command.Provider
	parent   pulumi.ResourceOption
	labels   map[string]string // on every resource, next to its name
}

// newAWS makes the network, the firewalls and the machines.
func newAWS(ctx *pulumi.Context, s settings.Settings, traffic []Rule, commands *command.Provider, parent pulumi.ResourceOption) ([]*Node, error) {
	provider, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{Region: pulumi.String(s.AWS.Region)}, parent)
	if err != nil {
		return nil, err
	}
	c := &cloud{
		settings: s, provider: provider, commands: commands, parent: parent,
		labels: map[string]string{"Project": ctx.Project(), "Stack": ctx.Stack(), "ManagedBy": "pulumi"},
	}
	network, err := c.network(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := c.newSecurityGroups(ctx, network, traffic)
	if err != nil {
		return nil, err
	}
	return c.instances(ctx, network, groups)
}

// own are the options of every AWS resource: its provider, its place in the tree, and what it adds itself.
func (c *cloud) own(options ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append([]pulumi.ResourceOption{pulumi.Provider(c.provider), c.parent}, options...)
}

// tags name a resource in the AWS console and say whose it is.
func (c *cloud) tags(name string) pulumi.StringMap {
	tags := maps.Clone(c.labels)
	tags["Name"] = name
	return pulumi.ToStringMap(tags)
}
