package app

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/topology"
)

// queuesFile has the addresses of the queues, one a line. A worker notices a change of the file. So adding or removing a frontend
// does not replace the workers.
const queuesFile = "/etc/vote-worker/queues"

// newWorkers runs a worker on each of the nodes. The workers share the entries of all queues. So if one is down, the others take
// its part.
func (a *App) newWorkers(ctx *pulumi.Context, nodes, frontends []*infra.Node) ([]*cluster.Running, error) {
	var queues []string
	for _, frontend := range frontends {
		queues = append(queues, queueAddress(frontend))
	}
	var workers []*cluster.Running
	environment := []cluster.Variable{{Name: "REDIS_ADDRESSES_FILE", Value: queuesFile}}
	if a.settings.VoteCopies > 1 {
		environment = append(environment, a.copies())
	}
	for _, node := range nodes {
		worker, err := a.run(ctx, a.withDatabase(workerRole, cluster.Workload{
			Name:         node.Name,
			Node:         node,
			Image:        a.program(programs.VoteWorker),
			Environment:  append([]cluster.Variable{{Name: "WORKER_NUMBER", Value: topology.Suffix(node.Number)}}, environment...),
			Secrets:      []cluster.Secret{a.redisClientPassword()},
			Config:       &cluster.Configuration{Path: queuesFile, Content: pulumi.String(strings.Join(queues, "\n") + "\n")},
			User:         programs.User,
			HealthCheck:  []string{"/" + programs.VoteWorker, "healthcheck"},
			StartedCheck: []string{"/" + programs.VoteWorker, "healthcheck", programs.StartedPage},
			ReadOnly:     true,
			Limits:       cluster.Limits{Memory: workerMemory, Files: 4096},
		}))
		if err != nil {
			return nil, err
		}
		workers = append(workers, worker)
	}
	return workers, nil
}
