package app

import (
	"fmt"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
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

// loadBalancer is the resource's name, whichever it is: to change to the other one is to replace it, so that port 80 is free
// when that one starts.
const loadBalancer = "load-balancer"

// newLoadBalancer runs the load balancer on its node's own engine, outside of the cluster, and returns it and where it shows
// its statistics.
func (a *App) newLoadBalancer(ctx *pulumi.Context, node *infra.Node) (*docker.Container, pulumi.StringOutput, error) {
	password := interlockPassword
	var balancer *docker.Container
	var err error
	if a.settings.LoadBalancer == settings.Interlock {
		balancer, err = a.newInterlock(ctx, node)
	} else {
		password = statisticsPassword(a.settings.VoterKey)
		balancer, err = a.newHAProxy(ctx, node, password)
	}
	if err != nil {
		return nil, pulumi.StringOutput{}, fmt.Errorf("the load balancer: %w", err)
	}
	url := "http://" + statisticsUser + ":" + password + "@" + VoteHost + statisticsPath
	return balancer, pulumi.ToSecret(pulumi.String(url)).(pulumi.StringOutput), nil
}
