package app

import (
	_ "embed"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

//go:embed scripts/retire.sh
var retireScript string

// newRetirements says what happens before a frontend is taken away while the poll goes on: its web container is stopped, and
// one of the workers drains its queue. Pulumi deletes a retirement before what it depends on, so before the queue. Where
// the database's data goes, too, there is nothing left to count for, and the retirement is passed over.
func (a *App) newRetirements(ctx *pulumi.Context, fronts []front, workers []*cluster.Running, database *database) error {
	var names []string
	for _, worker := range workers {
		names = append(names, worker.Name)
	}
	for _, front := range fronts {
		_, err := a.cluster.Script(ctx, front.web.Name+"-retirement", nil, infra.Script{
			Text: retireScript,
			Variables: map[string]pulumi.StringInput{
				"FRONTEND": pulumi.String(front.web.Name),
				"WORKERS":  pulumi.String(strings.Join(names, " ")),
				"QUEUE":    pulumi.String(queueAddress(front.web.Node)),
			},
			When: infra.OnDelete,
		}, a.inside(),
			pulumi.DependsOn(cluster.Containers(append([]*cluster.Running{front.queue, front.web, database.workload}, workers...))),
			pulumi.DeletedWith(database.workload.Data))
		if err != nil {
			return err
		}
	}
	return nil
}
