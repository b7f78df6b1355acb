package app

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/topology"
)

// checkWait is how many seconds the application has to work after its last container was started: the database makes its
// data in a few, a small machine may take half a minute.
const checkWait = 120

//go:embed scripts/check.sh
var checkScript string

// placed is a container that was put on a member of the cluster.
type placed struct {
	name      string
	node      *infra.Node
	container *docker.Container
}

// newCheck is the end of a deployment: it succeeds when every container works and the vote page answers through the load
// balancer. What was only started may be restarting for ever, and the provider would not tell.
func (a *App) newCheck(ctx *pulumi.Context, balancer *docker.Container, last ...pulumi.Resource) error {
	var names []string
	ids := pulumi.StringArray{balancer.ID()}
	for _, placed := range a.placed {
		names = append(names, placed.name+"="+a.cluster.Places[placed.node.Name].DockerHost)
		ids = append(ids, placed.container.ID())
		last = append(last, placed.container)
	}
	_, err := a.machines.One(topology.Manager).Run(ctx, "check", infra.Script{
		Text: checkScript,
		Variables: map[string]pulumi.StringInput{
			"CONTAINERS": pulumi.String(strings.Join(names, " ")),
			"BALANCER":   pulumi.String(a.machines.One(topology.LoadBalancer).Address.String()),
			"VOTE_HOST":  pulumi.String(VoteHost),
			"WAIT":       pulumi.String(strconv.Itoa(checkWait)),
			// Another container is another check.
			"CONTAINER_IDS": ids.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput),
		},
	}, a.inside, pulumi.DependsOn(append(last, balancer)))
	return err
}
