package app

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/topology"
)

// queuesFile is where a worker finds the addresses of the queues. It looks there all the time: a frontend more, or one fewer,
// does not replace the workers.
const queuesFile = "/etc/vote-worker/queues"

// newWorkers runs a worker on each of the nodes. Every worker drains all frontends' queues, sharing their entries with the
// others: one that is down leaves no queue behind.
func (a *App) newWorkers(ctx *pulumi.Context, nodes, frontends []*infra.Node) ([]*cluster.Running, error) {
	var queues []string
	for _, frontend := range frontends {
		queues = append(queues, queueAddress(frontend))
	}
	var workers []*cluster.Running
	for _, node := range nodes {
		worker, err := a.run(ctx, cluster.Workload{
			Name:  node.Name,
			Node:  node,
			Image: a.program(programs.VoteWorker),
			Environment: []cluster.Variable{
				{Name: "WORKER_NUMBER", Value: topology.Suffix(node.Number)},
				{Name: "REDIS_ADDRESSES_FILE", Value: queuesFile},
			},
			Secrets:     []cluster.Secret{a.postgresPassword()},
			Config:      &cluster.Configuration{Path: queuesFile, Content: pulumi.String(strings.Join(queues, "\n") + "\n")},
			HealthCheck: []string{"/" + programs.VoteWorker, "healthcheck"},
			ReadOnly:    true,
		})
		if err != nil {
			return nil, err
		}
		workers = append(workers, worker)
	}
	return workers, nil
}
