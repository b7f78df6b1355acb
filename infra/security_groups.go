package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// The purposes for which a port may be open. Each is a security group, given to the nodes that need it.
const (
	forOperator  = "operator"     // every node: SSH, from the operator's range only
	forMembers   = "members"      // every node: engines and their overlay, among themselves
	forManager   = "manager"      // the manager: Consul and the Swarm manager, from the nodes
	forVoters    = "vote-page"    // the load balancer: the vote page, from anywhere
	forFrontends = "frontends"    // the frontends: the web containers, from the load balancer
	forReaders   = "results-page" // the store: the results page, from anywhere
)

const anywhere = "0.0.0.0/0"

// purposes are the groups that a role's nodes belong to.
func purposes(role topology.Role) []string {
	groups := []string{forOperator, forMembers}
	switch role {
	case topology.Manager:
		groups = append(groups, forManager)
	case topology.LoadBalancer:
		groups = append(groups, forVoters)
	case topology.Frontend:
		groups = append(groups, forFrontends)
	case topology.Store:
		groups = append(groups, forReaders)
	}
	return groups
}

// rule lets one kind of traffic in to the nodes of a group.
type rule struct {
	name, group string
	protocol    string // tcp or udp
	port        int
	from        string // a CIDR range, or the group whose nodes may
	description string
}

// rules is all that may come in; the rest may not.
func (c *cloud) rules() []rule {
	return []rule{
		{"ssh", forOperator, "tcp", 22, c.settings.AWS.OperatorCIDR.String(), "SSH from the operator"},
		{"engine", forMembers, "tcp", 2375, forMembers, "Docker Engine, among the nodes"},
		{"overlay-control-tcp", forMembers, "tcp", 7946, forMembers, "overlay control plane, among the nodes"},
		{"overlay-control-udp", forMembers, "udp", 7946, forMembers, "overlay control plane, among the nodes"},
		{"overlay-data", forMembers, "udp", 4789, forMembers, "overlay data plane (VXLAN), among the nodes"},
		{"swarm-manager", forManager, "tcp", 3375, forMembers, "Swarm manager, from the nodes"},
		{"consul", forManager, "tcp", 8500, forMembers, "Consul, from the nodes"},
		{"vote-page", forVoters, "tcp", 80, anywhere, "vote page"},
		{"web-containers", forFrontends, "tcp", 5000, forVoters, "web containers, from the load balancer"},
		{"results-page", forReaders, "tcp", 80, anywhere, "results page"},
	}
}

// securityGroups makes a group for every purpose, with its rules. The result is by purpose.
func (c *cloud) securityGroups(ctx *pulumi.Context, network *network) (map[string]*ec2.SecurityGroup, error) {
	groups := map[string]*ec2.SecurityGroup{}
	for purpose, description := range map[string]string{
		forOperator:  "SSH from the operator",
		forMembers:   "Engines and overlay, among the nodes",
		forManager:   "Consul and Swarm manager, from the nodes",
		forVoters:    "Vote page, from anywhere",
		forFrontends: "Web containers, from the load balancer",
		forReaders:   "Results page, from anywhere",
	} {
		group, err := ec2.NewSecurityGroup(ctx, purpose, &ec2.SecurityGroupArgs{
			VpcId:       network.vpc.ID(),
			Description: pulumi.String(description),
			Tags:        c.tags(purpose),
		}, c.own()...)
		if err != nil {
			return nil, err
		}
		groups[purpose] = group
	}
	for _, r := range c.rules() {
		arguments := &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: groups[r.group].ID(),
			IpProtocol:      pulumi.String(r.protocol),
			FromPort:        pulumi.Int(r.port),
			ToPort:          pulumi.Int(r.port),
			Description:     pulumi.String(r.description),
			Tags:            c.tags(r.name),
		}
		if source, isGroup := groups[r.from]; isGroup {
			arguments.ReferencedSecurityGroupId = source.ID()
		} else {
			arguments.CidrIpv4 = pulumi.String(r.from)
		}
		if _, err := vpc.NewSecurityGroupIngressRule(ctx, "allow-"+r.name, arguments, c.own()...); err != nil {
			return nil, err
		}
	}
	// Pulumi's provider takes the rule that AWS gives a new group away, so it has to be said: nodes may reach out, to
	// pull packages and images.
	_, err := vpc.NewSecurityGroupEgressRule(ctx, "allow-out", &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: groups[forMembers].ID(),
		IpProtocol:      pulumi.String("-1"),
		CidrIpv4:        pulumi.String(anywhere),
		Description:     pulumi.String("Packages, images and the other nodes"),
		Tags:            c.tags("allow-out"),
	}, c.own()...)
	if err != nil {
		return nil, fmt.Errorf("letting the nodes reach out: %w", err)
	}
	return groups, nil
}
