package app

import (
	_ "embed"
	"strconv"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/topology"
)

//go:embed scripts/retire.sh
var retireScript string

// newRetirement is what happens before a frontend is taken away while the poll goes on: its web container is stopped, and a
// worker empties its queue to the last vote. Pulumi deletes it before what it depends on, that is before the queue. Where
// the database's data goes, too, there is nothing left to count for, and it is passed over.
func (a *App) newRetirement(ctx *pulumi.Context, node *infra.Node, database *database, workers []*docker.Container, frontend []pulumi.Resource) error {
	worker := a.machines.Of(topology.Worker)[0]
	_, err := a.machines.One(topology.Manager).Run(ctx, node.Name+"-retirement", infra.Script{
		Text: retireScript,
		Variables: map[string]pulumi.StringInput{
			"FRONTEND":      pulumi.String(node.Name),
			"FRONTEND_HOST": pulumi.String(a.cluster.Places[node.Name].DockerHost),
			"WORKER":        pulumi.String(worker.Name),
			"WORKER_HOST":   pulumi.String(a.cluster.Places[worker.Name].DockerHost),
			"QUEUE":         pulumi.String(strconv.Itoa(node.Number)),
		},
		When: infra.OnDelete,
	}, a.inside,
		pulumi.DependsOn(append(frontend, database.container, workers[0])),
		pulumi.DeletedWith(database.volume))
	return err
}
