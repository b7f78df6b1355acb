package app

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// roleOfResults returns the role whose nodes serve the results page: beside the database, or without stores beside the workers.
func roleOfResults(s settings.Settings) topology.Role {
	if s.HasStores() {
		return topology.Store
	}
	return topology.Worker
}

// newResults runs the results page on each of its nodes.
func (a *App) newResults(ctx *pulumi.Context, balancers []*infra.Node) ([]*cluster.Running, error) {
	var pages []*cluster.Running
	for _, node := range a.ResultsNodes {
		page, err := a.run(ctx, a.withDatabase(resultsRole, cluster.Workload{
			Name:  numbered(programs.ResultsApp, node),
			Node:  node,
			Image: a.program(programs.ResultsApp),
			Environment: []cluster.Variable{
				{Name: "OPTION_A", Value: a.settings.Ballot.OptionA},
				{Name: "OPTION_B", Value: a.settings.Ballot.OptionB},
				{Name: "CONNECTIONS_PER_ADDRESS", Value: strconv.Itoa(a.settings.Limits.Connections)},
				{Name: "VIEWERS_PER_ADDRESS", Value: strconv.Itoa(a.settings.Limits.Viewers)},
				a.copies(),
				{Name: "TRUSTED_PROXIES", Value: a.trustedProxies(balancers)},
			},
			Ports:        []cluster.Port{{Inside: httpPort, Outside: httpPort, Public: true}},
			User:         programs.User,
			HealthCheck:  []string{"/" + programs.ResultsApp, "healthcheck"},
			StartedCheck: []string{"/" + programs.ResultsApp, "healthcheck", programs.StartedPage},
			ReadOnly:     true,
			Limits:       cluster.Limits{Memory: memoryOfResults(a.settings), Files: 24_576},
		}))
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// trustedProxies is the list of trusted proxies for the results page's environment. The load balancers say whom they ask for, too.
func (a *App) trustedProxies(balancers []*infra.Node) string {
	var proxies []string
	if a.ShowsResults {
		for _, balancer := range balancers {
			proxies = append(proxies, balancer.Address.String())
		}
	}
	for _, proxy := range a.settings.TrustedProxies {
		proxies = append(proxies, proxy.String())
	}
	return strings.Join(proxies, " ")
}
