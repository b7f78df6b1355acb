package app

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

// checkWait is how many seconds the application may take to work once its last workload has started. PostgreSQL initialises its
// data in a few seconds, or in half a minute on a small machine.
const checkWait = 120

//go:embed scripts/check.sh
var checkScript string

// newCheck is the last step of a deployment. It succeeds once every member's workload is healthy and the vote page answers through
// every load balancer. The provider does not report a container that starts and crashes again and again.
func (a *App) newCheck(ctx *pulumi.Context, members, balancers []*cluster.Running, last []pulumi.Resource) error {
	var names, addresses []string
	for _, member := range members {
		names = append(names, member.Name)
	}
	for _, balancer := range balancers {
		addresses = append(addresses, balancer.Node.Address.String())
	}
	all := slices.Concat(balancers, members)
	ids := pulumi.StringArray{}
	for _, running := range all {
		ids = append(ids, running.ID)
	}
	_, err := a.cluster.Script(ctx, "check", nil, infra.Script{
		Text: checkScript,
		Variables: map[string]pulumi.StringInput{
			"WORKLOADS": pulumi.String(strings.Join(names, " ")),
			"BALANCERS": pulumi.String(strings.Join(addresses, " ")),
			"VOTE_HOST": pulumi.String(settings.VoteHost),
			"WAIT":      pulumi.String(strconv.Itoa(checkWait)),
			// Every deployment asks for it. It is empty, or an error that names workloads that are gone.
			"PRESENT": a.cluster.Present(ctx, all),
			// The check runs again when a container was replaced.
			"WORKLOAD_IDS": ids.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput),
		},
	}, a.inside(), pulumi.DependsOn(append(cluster.Containers(all), last...)))
	return err
}
