package app

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// checkWait is how many seconds the application has to work after its last workload was started. The database makes its data
// in a few seconds; a small machine may take half a minute.
const checkWait = 120

//go:embed scripts/check.sh
var checkScript string

// newCheck ends a deployment: it succeeds when every workload on a member works and the vote page answers through every load
// balancer. A workload that was only started may be restarting for ever, and the provider would not tell.
func (a *App) newCheck(ctx *pulumi.Context, members, balancers []*cluster.Running, last pulumi.Resource) error {
	var names, addresses []string
	for _, member := range members {
		names = append(names, member.Name)
	}
	for _, balancer := range balancers {
		addresses = append(addresses, balancer.Node.Address.String())
	}
	all := append(balancers, members...)
	ids := pulumi.StringArray{}
	for _, running := range all {
		ids = append(ids, running.ID)
	}
	_, err := a.cluster.Script(ctx, "check", nil, infra.Script{
		Text: checkScript,
		Variables: map[string]pulumi.StringInput{
			"WORKLOADS": pulumi.String(strings.Join(names, " ")),
			"BALANCERS": pulumi.String(strings.Join(addresses, " ")),
			"VOTE_HOST": pulumi.String(VoteHost),
			"WAIT":      pulumi.String(strconv.Itoa(checkWait)),
			// A workload that was made anew is to be checked again.
			"WORKLOAD_IDS": ids.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput),
		},
	}, a.inside(), pulumi.DependsOn(append(cluster.Containers(all), last)))
	return err
}
