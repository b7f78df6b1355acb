package app

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/wayin"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

// haproxyUser is the user of the official image, since release 2.4.
const haproxyUser = 99

// haproxy describes the load balancer HAProxy. Its configuration lists the frontends. A changed one is reloaded without dropping a
// connection.
func (a *App) haproxy(fronts []front, password string) (cluster.Workload, error) {
	var nodes []*infra.Node
	for _, front := range fronts {
		nodes = append(nodes, front.web.Node)
	}
	slices.SortFunc(nodes, func(a, b *infra.Node) int { return a.Number - b.Number })
	configuration, err := a.haproxyConfiguration(nodes, password)
	if err != nil {
		return cluster.Workload{}, err
	}
	return cluster.Workload{
		Name:     "haproxy",
		ReadOnly: true,
		User:     haproxyUser,
		// A connection takes two files.
		Limits: cluster.Limits{Memory: balancerMemory, Files: 40_960},
		Image:  cluster.Image{Name: "haproxy", Reference: a.settings.Images.HAProxy},
		Config: &cluster.Configuration{
			Path:    "/usr/local/etc/haproxy/haproxy.cfg",
			Content: pulumi.ToSecret(pulumi.String(configuration)).(pulumi.StringOutput),
			Check:   []string{"haproxy", "-c", "-q", "-f"},
			// Not "docker kill": after any signal, engine 20.10 treats the container as stopped on purpose, and no longer restarts
			// it when it dies.
			Reload: []string{"sh", "-c", "kill -HUP 1"},
		},
	}, nil
}

// haproxyConfiguration returns haproxy.cfg for these frontends, and for the results pages.
func (a *App) haproxyConfiguration(nodes []*infra.Node, password string) (string, error) {
	s := a.settings
	options := wayin.Options{
		Listen:       fmt.Sprintf(":%d", httpPort),
		ReadyPath:    readyPath,
		Statistics:   &wayin.Statistics{Path: statisticsPath, User: statisticsUser, Password: password},
		Names:        append([]string{settings.VoteHost}, s.VoteNames...),
		Proxies:      s.TrustedProxies,
		Limits:       wayin.Limits{ConnectionsPerAddress: s.Limits.Connections, VotesPerAddress: s.Limits.Votes, NewVotersPerAddress: s.Limits.NewVoters},
		LogAddresses: s.LogAddresses,
		Results:      &wayin.Results{Names: append([]string{settings.ResultsHost}, s.ResultsNames...)},
	}
	for _, node := range a.ResultsNodes {
		options.Results.Pages = append(options.Results.Pages, wayin.Frontend{Name: node.Name, Address: fmt.Sprintf("%s:%d", node.Address, httpPort)})
	}
	for _, node := range nodes {
		options.Frontends = append(options.Frontends, wayin.Frontend{Name: node.Name, Address: fmt.Sprintf("%s:%d", node.Address, frontendPort)})
	}
	return wayin.Configuration(options)
}
