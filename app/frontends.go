package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/infra"
	"swarm-scale/topology"
)

// frontendPort is the port at which a frontend's node publishes the web container, for the load balancer.
const frontendPort = 5000

// newFrontends runs a Redis and a web container on every frontend node, and what empties a queue before it is taken away.
//
// The web containers go in two waves, the odd ones and then the even ones, each container waited for until it has proved
// that it can write to its queue. So a changed program replaces one half while the other half answers, and however many
// frontends there are, it takes two steps.
func (a *App) newFrontends(ctx *pulumi.Context, database *database, workers []*docker.Container) error {
	frontends := a.machines.Of(topology.Frontend)
	var firstWave []pulumi.Resource
	for _, wave := range []int{1, 0} { // the odd numbers first: frontend01 is among them
		for _, node := range frontends {
			if node.Number%2 != wave {
				continue
			}
			queue, err := a.newRedis(ctx, node)
			if err != nil {
				return err
			}
			var before []pulumi.Resource
			if wave == 0 {
				before = firstWave
			}
			web, err := a.newWeb(ctx, node, pulumi.DependsOn(before))
			if err != nil {
				return err
			}
			if wave == 1 {
				firstWave = append(firstWave, web)
			}
			if err := a.newRetirement(ctx, node, database, workers, []pulumi.Resource{queue, web}); err != nil {
				return err
			}
		}
	}
	return nil
}

// newWeb runs the web container of one frontend.
func (a *App) newWeb(ctx *pulumi.Context, node *infra.Node, options ...pulumi.ResourceOption) (*docker.Container, error) {
	image, err := a.build(ctx, node, programs.WebVoteApp)
	if err != nil {
		return nil, err
	}
	return a.place(ctx, node, container{
		name:  node.Name,
		image: image,
		environment: pulumi.StringArray{
			pulumi.String("WEB_VOTE_NUMBER=" + topology.Suffix(node.Number)),
			pulumi.String("OPTION_A=" + a.settings.Ballot.OptionA),
			pulumi.String("OPTION_B=" + a.settings.Ballot.OptionB),
			pulumi.ToSecret(pulumi.String("VOTER_KEY=" + a.settings.VoterKey.Reveal())).(pulumi.StringOutput),
		},
		ports:       []port{{inside: 80, outside: frontendPort}},
		healthcheck: []string{"/" + programs.WebVoteApp, "healthcheck"},
		awaited:     true,
		readOnly:    true,
	}, func(arguments *docker.ContainerArgs) {
		// Interlock takes a container for a backend by its host and domain name together; "votingapp.local" as a host
		// name alone gets no votes.
		arguments.Hostname = pulumi.String("votingapp")
		arguments.Domainname = pulumi.String("local")
	}, options...)
}
