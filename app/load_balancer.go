package app

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// The login of the load balancer's statistics page, as the walk-through has it.
const (
	statisticsPath    = "/haproxy?stats"
	statisticsUser    = "stats"
	interlockPassword = "interlock"
)

// newLoadBalancer runs the load balancer on its node's own engine, outside of the cluster, and returns where it shows its
// statistics.
func (a *App) newLoadBalancer(ctx *pulumi.Context, node *infra.Node) (pulumi.StringOutput, error) {
	password := interlockPassword
	var err error
	if a.settings.LoadBalancer == settings.Interlock {
		err = a.newInterlock(ctx, node)
	} else {
		password = statisticsPassword(a.settings.VoterKey)
		err = a.newHAProxy(ctx, node, password)
	}
	url := "http://" + statisticsUser + ":" + password + "@" + VoteHost + statisticsPath
	return pulumi.ToSecret(pulumi.String(url)).(pulumi.StringOutput), err
}
