// Package app describes the voting application: its images, its data and its workloads. How they run is the cluster's
// business.
package app

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// VoteHost is the name under which voters reach the poll. Interlock finds the frontends by it.
const VoteHost = voteHostName + "." + voteDomain

const (
	voteHostName = "votingapp"
	voteDomain   = "local"
)

// App is the component that holds the application.
type App struct {
	pulumi.ResourceState

	// StatisticsURL is where the load balancers show what they do, with the password in it: a secret.
	StatisticsURL pulumi.StringOutput

	settings settings.Settings
	cluster  cluster.Cluster
	programs *programs.Contexts
}

// New builds the programs and runs the application. All workloads start side by side and find each other by name when they
// are there. Only the frontends go in two waves, so that one half of them answers while the other changes. It ends when all of it
// works.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines, cluster cluster.Cluster) (*App, error) {
	app := &App{settings: s, cluster: cluster}
	if err := ctx.RegisterComponentResource("swarm-scale:app:VotingApp", "voting-app", app); err != nil {
		return nil, err
	}
	var err error
	if app.programs, err = programs.Build(ctx.Context(), s.Architecture); err != nil {
		return nil, err
	}
	stores, frontends := machines.Of(topology.Store), machines.Of(topology.Frontend)

	database, err := app.newPostgres(ctx, stores)
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
	if err := app.newRetirements(ctx, fronts, workers, database); err != nil {
		return nil, err
	}
	results, err := app.newResults(ctx, stores)
	if err != nil {
		return nil, err
	}
	balancers, err := app.newLoadBalancers(ctx, machines.Of(topology.LoadBalancer), fronts)
	if err != nil {
		return nil, err
	}
	members := append(append(results, database.workload), workers...)
	for _, front := range fronts {
		members = append(members, front.queue, front.web)
	}
	if err := app.newCheck(ctx, members, balancers, database.login); err != nil {
		return nil, err
	}
	return app, ctx.RegisterResourceOutputs(app, pulumi.Map{"statisticsUrl": app.StatisticsURL})
}

// run has the cluster run a workload of the application.
func (a *App) run(ctx *pulumi.Context, workload cluster.Workload) (*cluster.Running, error) {
	return a.cluster.Run(ctx, workload, a)
}

// inside makes a resource one of the application's.
func (a *App) inside() pulumi.ResourceOption { return pulumi.Parent(a) }

// program is the image of one of the programs.
func (a *App) program(name string) cluster.Image {
	return cluster.Image{Name: name, Context: a.programs.Folder(name), Platform: a.programs.Platform}
}

// numbered is a name with the node's number, but for the first node of a role.
func numbered(name string, node *infra.Node) string {
	if node.Number == 1 {
		return name
	}
	return name + topology.Suffix(node.Number)
}
