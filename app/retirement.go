package app

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

//go:embed scripts/retire.sh
var retireScript string

// newRetirements makes a retirement for each frontend. It runs when the frontend is removed: it stops the web container, and a
// worker drains the queue. Pulumi deletes a retirement before what it depends on, so before the queue. If the database's data is
// deleted, too, there is nothing to count for, and the retirement does not run. What somebody else keeps is not deleted with the stack, so
// then the retirement runs before the stack is destroyed, too.
func (a *App) newRetirements(ctx *pulumi.Context, fronts []front, workers []*cluster.Running, votes *storage) error {
	var names []string
	for _, worker := range workers {
		names = append(names, worker.Name)
	}
	var data pulumi.Resource
	if len(votes.servers) > 0 {
		data = votes.servers[0].Data
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
			pulumi.DependsOn(cluster.Containers(slices.Concat([]*cluster.Running{front.queue, front.web}, votes.servers, workers))),
			pulumi.DeletedWith(data))
		if err != nil {
			return err
		}
	}
	return nil
}
