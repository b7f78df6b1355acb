package infra

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// How the network load balancer asks a machine whether it serves well. It takes one out of service, or back, after about 20 s, and out of DNS
// a zone without any. AWS allows an interval of 5 s to 300 s, and 2 to 10 answers in a row (Elastic Load Balancing user guide).
const (
	checkInterval = 10 // seconds
	checkTimeout  = 5  // seconds
	checkAnswers  = 2  // of one kind in a row
)

// deregistrationDelay is how many seconds a machine that leaves goes on with the connections that it has. Votes take less.
const deregistrationDelay = 10

// NetworkLoadBalancer is AWS's load balancer in front of the machines that are load balancers themselves.
type NetworkLoadBalancer struct {
	DNSName pulumi.StringOutput // leads to its address in each zone that serves well
}

// newNetworkLoadBalancer makes a network load balancer with an address in each zone. It hands the ports that everybody may reach on the load
// balancers' machines to any of these that serves well, in whatever zone.
//
// It has no security group, and lets everybody in, as the machines do. They see the voters' own addresses, and their security groups and
// limits count these.
func (c *cloud) newNetworkLoadBalancer(ctx *pulumi.Context, network *network, machines []*Node, traffic []Rule) (*NetworkLoadBalancer, error) {
	if !c.settings.AWS.NetworkLoadBalancer {
		return nil, nil
	}
	const name = "network-load-balancer"
	subnets, needs := pulumi.StringArray{}, []pulumi.Resource{network.gateway} // which has to be there as long as it has public addresses
	for _, subnet := range network.subnets {
		subnets = append(subnets, subnet.ID())
		needs = append(needs, subnet.route)
	}
	balancer, err := lb.NewLoadBalancer(ctx, name, &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("network"),
		IpAddressType:    pulumi.String("ipv4"),
		Internal:         pulumi.Bool(false),
		Subnets:          subnets,
		// There may be zones without a load balancer's machine.
		EnableCrossZoneLoadBalancing: pulumi.Bool(true),
		EnableDeletionProtection:     pulumi.Bool(c.settings.AWS.TerminationProtection),
		Tags:                         c.tags(name),
	}, c.own(pulumi.DependsOn(needs), pulumi.Protect(c.settings.AWS.TerminationProtection))...)
	if err != nil {
		return nil, err
	}
	for _, rule := range traffic {
		if rule.From == nil && rule.To.Contains(topology.LoadBalancer) {
			if err := c.listen(ctx, network, balancer, machines, rule); err != nil {
				return nil, err
			}
		}
	}
	return &NetworkLoadBalancer{DNSName: balancer.DnsName}, nil
}

// listen has the network load balancer listen at the rule's port, and hand connections to the machines of the rule's group.
func (c *cloud) listen(ctx *pulumi.Context, network *network, balancer *lb.LoadBalancer, machines []*Node, rule Rule) error {
	check := &lb.TargetGroupHealthCheckArgs{
		Protocol:           pulumi.String("TCP"),
		Interval:           pulumi.Int(checkInterval),
		Timeout:            pulumi.Int(checkTimeout),
		HealthyThreshold:   pulumi.Int(checkAnswers),
		UnhealthyThreshold: pulumi.Int(checkAnswers),
	}
	if rule.ReadyPath != "" {
		check.Protocol, check.Path, check.Matcher = pulumi.String("HTTP"), pulumi.String(rule.ReadyPath), pulumi.String("200")
	}
	protocol := pulumi.String(strings.ToUpper(string(rule.Protocol)))
	group, err := lb.NewTargetGroup(ctx, rule.Name+"-targets", &lb.TargetGroupArgs{
		VpcId:               network.vpc.ID(),
		TargetType:          pulumi.String("instance"),
		Protocol:            protocol,
		Port:                pulumi.Int(rule.Port),
		PreserveClientIp:    pulumi.String("true"),
		DeregistrationDelay: pulumi.Int(deregistrationDelay),
		HealthCheck:         check,
		Tags:                c.tags(rule.Name),
	}, c.own()...)
	if err != nil {
		return err
	}
	for _, machine := range machines {
		if !rule.To.Contains(machine.Role) {
			continue
		}
		if _, err := lb.NewTargetGroupAttachment(ctx, machine.Name+"-"+rule.Name+"-attachment", &lb.TargetGroupAttachmentArgs{
			TargetGroupArn: group.Arn,
			TargetId:       machine.Identity,
			Port:           pulumi.Int(rule.Port),
		}, c.own()...); err != nil {
			return err
		}
	}
	_, err = lb.NewListener(ctx, rule.Name+"-listener", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn,
		Protocol:        protocol,
		Port:            pulumi.Int(rule.Port),
		DefaultActions:  lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: group.Arn}},
		Tags:            c.tags(rule.Name),
	}, c.own()...)
	return err
}
