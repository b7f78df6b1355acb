package app

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

// Path and login of the load balancers' statistics, from the walk-through. HAProxy has another password.
const (
	statisticsPath    = "/haproxy?stats"
	statisticsUser    = "stats"
	interlockPassword = "interlock"
)

// readyPath is where HAProxy answers with 200 while it has a frontend that takes votes, and else with 503.
const readyPath = "/load-balancer/ready"

// newLoadBalancers runs a load balancer on each of the nodes, for all frontends and for the results pages.
func (a *App) newLoadBalancers(ctx *pulumi.Context, nodes []*infra.Node, fronts []front) ([]*cluster.Running, error) {
	describe, password := a.haproxy, derive("haproxy statistics", a.settings.VoterKey).Reveal()
	if a.settings.LoadBalancer == settings.Interlock {
		describe, password = a.interlock, interlockPassword
	}
	var balancers []*cluster.Running
	for _, node := range nodes {
		workload, err := describe(fronts, password)
		if err != nil {
			return nil, fmt.Errorf("the load balancer on %s: %w", node.Name, err)
		}
		workload.Node = node
		workload.Name = numbered(workload.Name, node)
		// Both kinds have the same resource name. So a change of the kind replaces the container, and the port is free.
		workload.Resource = numbered("load-balancer", node)
		workload.Ports = []cluster.Port{{Inside: httpPort, Outside: httpPort, Public: true}}
		balancer, err := a.run(ctx, workload)
		if err != nil {
			return nil, err
		}
		balancers = append(balancers, balancer)
	}
	url := "http://" + statisticsUser + ":" + password + "@" + settings.VoteHost + statisticsPath
	a.StatisticsURL = pulumi.ToSecret(pulumi.String(url)).(pulumi.StringOutput)
	return balancers, nil
}
