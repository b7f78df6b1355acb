package app

import (
	"strconv"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/topology"
)

// newWorkers runs a worker container on every worker node. Each of them empties all queues, sharing their entries with the
// others: a worker that is down leaves no queue behind.
func (a *App) newWorkers(ctx *pulumi.Context) ([]*docker.Container, error) {
	var workers []*docker.Container
	for _, node := range a.machines.Of(topology.Worker) {
		image, err := a.build(ctx, node, programs.VoteWorker)
		if err != nil {
			return nil, err
		}
		worker, err := a.place(ctx, node, container{
			name:  node.Name,
			image: image,
			environment: pulumi.StringArray{
				pulumi.String("WORKER_NUMBER=" + topology.Suffix(node.Number)),
				pulumi.String("FROM_REDIS_HOST=1"),
				pulumi.String("TO_REDIS_HOST=" + strconv.Itoa(a.settings.Frontends)),
				a.postgresPassword(),
			},
			healthcheck: []string{"/" + programs.VoteWorker, "healthcheck"},
			readOnly:    true,
		}, nil)
		if err != nil {
			return nil, err
		}
		workers = append(workers, worker)
	}
	return workers, nil
}
