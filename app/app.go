// Package app puts the voting application on a cluster: its images, its data and its containers, each described once and
// placed where the cluster says.
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
const VoteHost = "votingapp.local"

// App is the component that holds the application.
type App struct {
	pulumi.ResourceState

	// StatisticsURL is where the load balancer shows what it does, with the password in it: a secret.
	StatisticsURL pulumi.StringOutput

	settings settings.Settings
	machines *infra.Machines
	cluster  *cluster.Cluster
	programs *programs.Contexts
	placed   []placed
	inside   pulumi.ResourceOption
}

// New builds the programs and puts everything in its place. All containers start side by side and find each other by name
// when they are there; only the frontends go in two waves, so that a change of theirs leaves one half answering. It ends when
// all of it works.
func New(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines, cluster *cluster.Cluster) (*App, error) {
	app := &App{settings: s, machines: machines, cluster: cluster}
	if err := ctx.RegisterComponentResource("swarm-scale:app:VotingApp", "voting-app", app); err != nil {
		return nil, err
	}
	app.inside = pulumi.Parent(app)
	var err error
	if app.programs, err = programs.Build(ctx.Context(), s.Architecture); err != nil {
		return nil, err
	}

	store := machines.One(topology.Store)
	database, err := app.newPostgres(ctx, store)
	if err != nil {
		return nil, err
	}
	workers, err := app.newWorkers(ctx)
	if err != nil {
		return nil, err
	}
	if err := app.newFrontends(ctx, database, workers); err != nil {
		return nil, err
	}
	if err := app.newResults(ctx, store); err != nil {
		return nil, err
	}
	balancer, statisticsURL, err := app.newLoadBalancer(ctx, machines.One(topology.LoadBalancer))
	if err != nil {
		return nil, err
	}
	app.StatisticsURL = statisticsURL
	if err := app.newCheck(ctx, balancer, database.password); err != nil {
		return nil, err
	}
	return app, ctx.RegisterResourceOutputs(app, pulumi.Map{"statisticsUrl": app.StatisticsURL})
}
