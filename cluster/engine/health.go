package engine

import (
	_ "embed"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// awaitTime is how many seconds a workload has to become healthy.
const awaitTime = 120

var (
	// WorkloadFunctions are the shell functions that cluster.Cluster.Script promises, for containers that have the workload's name.
	// They need the variable WORKLOADS_HOST, the DOCKER_HOST of whoever has these containers.
	//
	//go:embed scripts/workloads.sh
	WorkloadFunctions string
	//go:embed scripts/await-health.sh
	awaitHealthScript string
)

// AwaitHealth makes the workload's Healthy, if somebody waits for it. The docker provider can wait, too, but when it gives up it does not
// tell what the container said.
func AwaitHealth(ctx *pulumi.Context, c cluster.Cluster, running *cluster.Running, parent pulumi.Resource) (err error) {
	if !running.Update.Await {
		return nil
	}
	running.Healthy, err = c.Script(ctx, running.ResourceName()+"-healthy", running, infra.Script{
		Text: awaitHealthScript,
		Variables: map[string]pulumi.StringInput{
			"WORKLOAD":    pulumi.String(running.Name),
			"WORKLOAD_ID": running.ID,
			"WAIT":        pulumi.String(strconv.Itoa(awaitTime)),
		},
	}, pulumi.Parent(parent))
	return err
}
