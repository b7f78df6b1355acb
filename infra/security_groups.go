package infra

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

const (
	anywhere = "0.0.0.0/0"
	sshPort  = 22
)

// securityGroups are the groups of nodes that traffic goes to, and their resources.
type securityGroups struct {
	groups    []Group                       // in the order in which a machine lists them
	resources map[string]*ec2.SecurityGroup // by the group's name
}

// newSecurityGroups makes a security group for every group that traffic goes to, one for the operator's SSH, and the rules.
func (c *cloud) newSecurityGroups(ctx *pulumi.Context, network *network, traffic []Rule) (*securityGroups, error) {
	// A machine without a group would get the VPC's default one. AWS lets its members reach each other; without rules they do not.
	if _, err := ec2.NewDefaultSecurityGroup(ctx, "default-security-group", &ec2.DefaultSecurityGroupArgs{
		VpcId: network.vpc.ID(),
		Tags:  c.tags("closed"),
	}, c.own()...); err != nil {
		return nil, err
	}
	operator := Group{Name: "operator", Description: "SSH from the operator"}
	all := &securityGroups{groups: []Group{operator, AllNodes()}, resources: map[string]*ec2.SecurityGroup{}}
	for _, rule := range traffic {
		if !slices.ContainsFunc(all.groups, func(known Group) bool { return known.Name == rule.To.Name }) {
			all.groups = append(all.groups, rule.To)
		}
	}
	for _, group := range all.groups {
		resource, err := ec2.NewSecurityGroup(ctx, group.Name, &ec2.SecurityGroupArgs{
			VpcId:       network.vpc.ID(),
			Description: pulumi.String(group.Description),
			Tags:        c.tags(group.Name),
		}, c.own()...)
		if err != nil {
			return nil, err
		}
		all.resources[group.Name] = resource
	}
	ssh := Rule{Name: "ssh", To: operator, Protocol: TCP, Port: sshPort, Why: "SSH from the operator"}
	if err := c.letIn(ctx, all, ssh, c.settings.AWS.OperatorCIDR.String()); err != nil {
		return nil, err
	}
	for _, rule := range traffic {
		if err := c.letIn(ctx, all, rule, anywhere); err != nil {
			return nil, err
		}
	}
	return all, c.letOut(ctx, all)
}

// of returns the IDs of the security groups of a role's machines.
func (g *securityGroups) of(role topology.Role) pulumi.StringArray {
	ids := pulumi.StringArray{}
	for _, group := range g.groups {
		if group.Contains(role) {
			ids = append(ids, g.resources[group.Name].ID())
		}
	}
	return ids
}

// letIn makes the ingress rule. A rule without a From is for the address range.
func (c *cloud) letIn(ctx *pulumi.Context, groups *securityGroups, rule Rule, addresses string) error {
	arguments := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: groups.resources[rule.To.Name].ID(),
		IpProtocol:      pulumi.String(rule.Protocol),
		FromPort:        pulumi.Int(rule.Port),
		ToPort:          pulumi.Int(rule.Port),
		Description:     pulumi.String(rule.Why),
		Tags:            c.tags(rule.Name),
	}
	if rule.From == nil {
		arguments.CidrIpv4 = pulumi.String(addresses)
	} else {
		arguments.ReferencedSecurityGroupId = groups.resources[rule.From.Name].ID()
	}
	_, err := vpc.NewSecurityGroupIngressRule(ctx, "allow-"+rule.Name, arguments, c.own()...)
	return err
}

// letOut opens all outgoing traffic, for packages and images. AWS gives a new group this rule, but Pulumi's provider removes it.
func (c *cloud) letOut(ctx *pulumi.Context, groups *securityGroups) error {
	_, err := vpc.NewSecurityGroupEgressRule(ctx, "allow-out", &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: groups.resources[AllNodes().Name].ID(),
		IpProtocol:      pulumi.String("-1"),
		CidrIpv4:        pulumi.String(anywhere),
		Description:     pulumi.String("Packages, images and the other nodes"),
		Tags:            c.tags("allow-out"),
	}, c.own()...)
	if err != nil {
		return fmt.Errorf("opening outgoing traffic: %w", err)
	}
	return nil
}
