package infra

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// cloud has what all AWS resources of the stack share.
type cloud struct {
	settings settings.Settings
	provider *aws.Provider
	commands *command.Provider
	// keepsData are the roles whose nodes have a disk of their own.
	keepsData []topology.Role
	parent    pulumi.ResourceOption
	labels    map[string]string // tags of every resource, besides Name
	kept      []kept            // the settings that stand in the VPC
}

// newAWS makes the network, its flow logs, the security groups, the machines and what is in front of them, if anything is.
func newAWS(ctx *pulumi.Context, s settings.Settings, demands Demands, commands *command.Provider, parent pulumi.ResourceOption) ([]*Node, *NetworkLoadBalancer, error) {
	provider, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{Region: pulumi.String(s.AWS.Region)}, parent)
	if err != nil {
		return nil, nil, err
	}
	c := &cloud{
		settings: s, provider: provider, commands: commands, parent: parent, keepsData: demands.KeepsData, kept: allKept(s),
		labels: map[string]string{"Project": ctx.Project(), "Stack": ctx.Stack(), "ManagedBy": "pulumi"},
	}
	if err := c.checkMachines(ctx, demands.Memory); err != nil {
		return nil, nil, fmt.Errorf("the machines cannot run the programs; nothing was changed:\n%w", err)
	}
	network, err := c.network(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := c.newFlowLogs(ctx, network); err != nil {
		return nil, nil, err
	}
	groups, err := c.newSecurityGroups(ctx, network, demands.Traffic)
	if err != nil {
		return nil, nil, err
	}
	machines, err := c.instances(ctx, network, groups)
	if err != nil {
		return nil, nil, err
	}
	balancer, err := c.newNetworkLoadBalancer(ctx, network, machines, demands.Traffic)
	return machines, balancer, err
}

// own returns the options of an AWS resource: provider, parent, and the given ones.
func (c *cloud) own(options ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append([]pulumi.ResourceOption{pulumi.Provider(c.provider), c.parent}, options...)
}

// tags returns a resource's tags: its name in the AWS console, and the stack that it belongs to.
func (c *cloud) tags(name string) pulumi.StringMap {
	tags := maps.Clone(c.labels)
	tags["Name"] = name
	return pulumi.ToStringMap(tags)
}
