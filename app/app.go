// Package app describes the voting application: its images, data and workloads. The cluster decides how they run.
package app

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// App is the component of the application.
type App struct {
	pulumi.ResourceState

	// StatisticsURL is the URL of the load balancers' statistics. It has the password in it, so it is secret.
	StatisticsURL pulumi.StringOutput

	// ShowsResults says whether the load balancers serve the results page, too.
	ShowsResults bool

	// ResultsNodes are the nodes that serve the results page.
	ResultsNodes []*infra.Node

	settings settings.Settings
	cluster  cluster.Cluster
	programs *programs.Contexts
}

// New builds the programs and runs the application. All workloads start in parallel, and find each other by name. Only the web
// containers start in two waves, so that one half answers while the other is replaced. The last step checks that everything works.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines, cluster cluster.Cluster) (*App, error) {
	app := &App{settings: s, cluster: cluster, ShowsResults: s.LoadBalancer == settings.HAProxy}
	if err := ctx.RegisterComponentResource("swarm-scale:app:VotingApp", "voting-app", app); err != nil {
		return nil, err
	}
	var err error
	if app.programs, err = programs.Build(ctx.Context(), s.Architecture); err != nil {
		return nil, err
	}
	frontends := machines.Of(topology.Frontend)
	app.ResultsNodes = machines.Of(roleOfResults(s))

	votes, err := app.newStorage(ctx, machines)
	if err != nil {
		return nil, err
	}
	workers, err := app.newWorkers(ctx, machines.Of(topology.Worker), frontends)
	if err != nil {
		return nil, err
	}
	fronts, err := app.newFrontends(ctx, frontends)
	if err != nil {
		return nil, err
	}
	if err := app.newRetirements(ctx, fronts, workers, votes); err != nil {
		return nil, err
	}
	results, err := app.newResults(ctx, machines.Of(topology.LoadBalancer))
	if err != nil {
		return nil, err
	}
	balancers, err := app.newLoadBalancers(ctx, machines.Of(topology.LoadBalancer), fronts)
	if err != nil {
		return nil, err
	}
	members := slices.Concat(results, votes.servers, votes.etcd, workers)
	for _, front := range fronts {
		members = append(members, front.queue, front.web)
	}
	if err := app.newCheck(ctx, members, balancers, votes.roles); err != nil {
		return nil, err
	}
	return app, ctx.RegisterResourceOutputs(app, pulumi.Map{"statisticsUrl": app.StatisticsURL})
}

// run runs a workload on the cluster.
func (a *App) run(ctx *pulumi.Context, workload cluster.Workload) (*cluster.Running, error) {
	return a.cluster.Run(ctx, workload, a)
}

// inside is the option that makes a resource a child of the application.
func (a *App) inside() pulumi.ResourceOption { return pulumi.Parent(a) }

// program returns the image of one of the programs.
func (a *App) program(name string) cluster.Image {
	return cluster.Image{Name: name, Context: a.programs.Folder(name), Platform: a.programs.Platform}
}

// numbered appends the node's number to a name, except for the first node of a role.
func numbered(name string, node *infra.Node) string {
	if node.Number == 1 {
		return name
	}
	return name + topology.Suffix(node.Number)
}
