package stack

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// export exports the outputs, which are what a person needs once the stack is up.
func export(ctx *pulumi.Context, machines *infra.Machines, poll *app.App) {
	ctx.Export("voteUrl", pulumi.String("http://"+settings.VoteHost))
	ctx.Export("resultsUrl", poll.ResultsNodes[0].HTTP())
	ctx.Export("statisticsUrl", poll.StatisticsURL)
	// For the name server: what the name of voteUrl leads to.
	if balancer := machines.NetworkLoadBalancer; balancer != nil {
		ctx.Export("voteAlias", balancer.DNSName)
	} else {
		addresses := pulumi.StringArray{}
		for _, node := range machines.Of(topology.LoadBalancer) {
			addresses = append(addresses, node.NumericAddress(ctx.Context()))
		}
		ctx.Export("voteAddresses", addresses)
	}
	hosts := settings.VoteHost
	if poll.ShowsResults {
		hosts += " " + settings.ResultsHost
	}
	// For the /etc/hosts of a voter, until a name server knows voteUrl. A line has one load balancer.
	ctx.Export("hostsFileLine", pulumi.Sprintf("%s %s", machines.Of(topology.LoadBalancer)[0].NumericAddress(ctx.Context()), hosts))

	nodes, ssh, knownHosts := pulumi.Map{}, pulumi.StringMap{}, pulumi.StringArray{}
	for _, node := range machines.Nodes {
		nodes[node.Name] = pulumi.Map{
			"role":           pulumi.String(node.Role),
			"privateAddress": pulumi.String(node.Address.String()),
			"publicAddress":  node.PublicAddress,
		}
		ssh[node.Name] = node.SSHCommand()
		knownHosts = append(knownHosts, node.KnownHostsLine())
	}
	ctx.Export("nodes", nodes)
	ctx.Export("ssh", ssh)
	ctx.Export("knownHosts", knownHosts)
}
