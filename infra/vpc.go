package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// The names that the walk-through gives its VPC and subnet.
const (
	vpcName    = "Swarm-scale"
	subnetName = "PublicSubnet"
)

// network is a VPC with a public subnet in each zone.
type network struct {
	vpc     *ec2.Vpc
	subnets []subnet // of zones 1, 2, 3 …
	gateway *ec2.InternetGateway
}

// subnet is the public subnet of a zone.
type subnet struct {
	*ec2.Subnet
	route *ec2.RouteTableAssociation // once it exists, the subnet reaches the internet
}

// of returns the subnet that a node is in.
func (n *network) of(node topology.Node) subnet { return n.subnets[node.Zone-1] }

// network makes the walk-through's "VPC with a single public subnet", with one more for each further zone.
func (c *cloud) network(ctx *pulumi.Context) (*network, error) {
	n := &network{}
	tags := c.tags(vpcName)
	for _, setting := range c.kept {
		if setting.written() {
			tags[setting.tag] = pulumi.String(setting.value)
		}
	}
	keep, err := keep(ctx, "vpc", c.kept)
	if err != nil {
		return nil, err
	}
	n.vpc, err = ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{
		CidrBlock:          pulumi.String(c.settings.AWS.VPC.String()),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true),
		Tags:               tags,
	}, c.own(pulumi.ResourceHooks(keep))...)
	if err != nil {
		return nil, err
	}
	n.gateway, err = ec2.NewInternetGateway(ctx, "internet-gateway", &ec2.InternetGatewayArgs{
		VpcId: n.vpc.ID(),
		Tags:  c.tags(vpcName),
	}, c.own()...)
	if err != nil {
		return nil, err
	}
	table, err := ec2.NewRouteTable(ctx, "route-table", &ec2.RouteTableArgs{
		VpcId: n.vpc.ID(),
		Tags:  c.tags(subnetName),
	}, c.own()...)
	if err != nil {
		return nil, err
	}
	route, err := ec2.NewRoute(ctx, "default-route", &ec2.RouteArgs{
		RouteTableId:         table.ID(),
		DestinationCidrBlock: pulumi.String(anywhere),
		GatewayId:            n.gateway.ID(),
	}, c.own()...)
	if err != nil {
		return nil, err
	}
	zones, options := c.settings.AWS.AvailabilityZones, c.own()
	if len(zones) == 0 {
		if zones, err = c.availabilityZones(ctx); err != nil {
			return nil, err
		}
		// The zones were chosen here. Another choice, after another instance type, must not move a running cluster.
		options = c.own(pulumi.IgnoreChanges([]string{"availabilityZone"}))
	}
	for i, addresses := range c.settings.AWS.Subnets {
		suffix := "" // the first one keeps the walk-through's name
		if i > 0 {
			suffix = topology.Suffix(i + 1)
		}
		var one subnet
		one.Subnet, err = ec2.NewSubnet(ctx, "subnet"+suffix, &ec2.SubnetArgs{
			VpcId:               n.vpc.ID(),
			CidrBlock:           pulumi.String(addresses.String()),
			AvailabilityZone:    pulumi.String(zones[i]),
			MapPublicIpOnLaunch: pulumi.Bool(true),
			Tags:                c.tags(subnetName + suffix),
		}, options...)
		if err != nil {
			return nil, err
		}
		one.route, err = ec2.NewRouteTableAssociation(ctx, "subnet"+suffix+"-route-table", &ec2.RouteTableAssociationArgs{
			RouteTableId: table.ID(),
			SubnetId:     one.ID(),
		}, c.own(pulumi.DependsOn([]pulumi.Resource{route}))...)
		if err != nil {
			return nil, err
		}
		n.subnets = append(n.subnets, one)
	}
	return n, nil
}
