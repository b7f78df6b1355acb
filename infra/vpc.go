package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The names that the walk-through gives its VPC and subnet.
const (
	vpcName    = "Swarm-scale"
	subnetName = "PublicSubnet"
)

// network is a VPC with one public subnet.
type network struct {
	vpc     *ec2.Vpc
	subnet  *ec2.Subnet
	gateway *ec2.InternetGateway
	route   *ec2.RouteTableAssociation // once it exists, the subnet reaches the internet
}

// network makes the walk-through's "VPC with a single public subnet".
func (c *cloud) network(ctx *pulumi.Context) (*network, error) {
	n := &network{}
	tags := c.tags(vpcName)
	tags[kindTag] = pulumi.String(c.settings.Cluster)
	var err error
	n.vpc, err = ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{
		CidrBlock:          pulumi.String(c.settings.AWS.VPC.String()),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true),
		Tags:               tags,
	}, c.own(pulumi.ResourceHooks(c.keep))...)
	if err != nil {
		return nil, err
	}
	zone, options := c.settings.AWS.AvailabilityZone, c.own()
	if zone == "" {
		if zone, err = c.availabilityZone(ctx); err != nil {
			return nil, err
		}
		// The zone was chosen here. Another choice, after another instance type, must not move a running cluster.
		options = c.own(pulumi.IgnoreChanges([]string{"availabilityZone"}))
	}
	n.subnet, err = ec2.NewSubnet(ctx, "subnet", &ec2.SubnetArgs{
		VpcId:               n.vpc.ID(),
		CidrBlock:           pulumi.String(c.settings.AWS.Subnet.String()),
		AvailabilityZone:    pulumi.String(zone),
		MapPublicIpOnLaunch: pulumi.Bool(true),
		Tags:                c.tags(subnetName),
	}, options...)
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
	n.route, err = ec2.NewRouteTableAssociation(ctx, "subnet-route-table", &ec2.RouteTableAssociationArgs{
		RouteTableId: table.ID(),
		SubnetId:     n.subnet.ID(),
	}, c.own(pulumi.DependsOn([]pulumi.Resource{route}))...)
	return n, err
}
