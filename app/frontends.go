package app

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// front is what runs on one frontend.
type front struct {
	queue, web *cluster.Running
}

// newFrontends runs a Redis and a web container on every frontend.
//
// The containers start in two waves, first those of frontends with odd numbers. A web container is done once its health check has
// written to its queue. So while an update replaces one half, the other half answers. It takes two steps for any number of frontends.
func (a *App) newFrontends(ctx *pulumi.Context, nodes []*infra.Node) ([]front, error) {
	var fronts []front
	var before, firstWave []*cluster.Running
	for _, wave := range []int{1, 0} { // number modulo 2; frontend01 is always there
		for _, node := range nodes {
			if node.Number%2 != wave {
				continue
			}
			queue, err := a.newRedis(ctx, node, before)
			if err != nil {
				return nil, err
			}
			web, err := a.newWeb(ctx, node, nodes, before)
			if err != nil {
				return nil, err
			}
			fronts = append(fronts, front{queue: queue, web: web})
			firstWave = append(firstWave, queue, web)
		}
		before = firstWave
	}
	return fronts, nil
}

// partnersFile has the addresses of the queues that may have the second copy of a frontend's votes, one a line. The web container notices a
// change of the file. So a frontend that is removed gets no copy any more before its own queue is drained.
const partnersFile = "/etc/web-vote-app/partners"

// partners returns the addresses of the queues that a frontend asks for a second copy, in this order: those of the frontends after it, then
// those before it, so that each has as many to keep. If there are several zones, they are in other ones.
func partners(node *infra.Node, frontends []*infra.Node) []string {
	severalZones := slices.ContainsFunc(frontends, func(other *infra.Node) bool { return other.Zone != node.Zone })
	var after, before []string
	for _, other := range frontends {
		switch {
		case other.Number == node.Number || severalZones && other.Zone == node.Zone:
		case other.Number > node.Number:
			after = append(after, queueAddress(other))
		default:
			before = append(before, queueAddress(other))
		}
	}
	return append(after, before...)
}

// newWeb runs the web container of one frontend, after those before it.
func (a *App) newWeb(ctx *pulumi.Context, node *infra.Node, frontends []*infra.Node, before []*cluster.Running) (*cluster.Running, error) {
	host, domain, _ := strings.Cut(settings.VoteHost, ".")
	environment := []cluster.Variable{
		{Name: "WEB_VOTE_NUMBER", Value: topology.Suffix(node.Number)},
		{Name: "REDIS_ADDRESS", Value: queueAddress(node)},
		{Name: "OPTION_A", Value: a.settings.Ballot.OptionA},
		{Name: "OPTION_B", Value: a.settings.Ballot.OptionB},
	}
	var configuration *cluster.Configuration
	if a.settings.VoteCopies > 1 {
		environment = append(environment, a.copies(), cluster.Variable{Name: "REDIS_PARTNERS_FILE", Value: partnersFile})
		configuration = &cluster.Configuration{Path: partnersFile, Content: pulumi.String(strings.Join(partners(node, frontends), "\n") + "\n")}
	}
	if names := a.settings.VoteNames; len(names) > 0 {
		environment = append(environment, cluster.Variable{Name: "VOTE_NAMES", Value: strings.Join(append([]string{settings.VoteHost}, names...), " ")})
	}
	return a.run(ctx, cluster.Workload{
		Name:         node.Name,
		Node:         node,
		Image:        a.program(programs.WebVoteApp),
		Environment:  environment,
		Config:       configuration,
		Secrets:      []cluster.Secret{a.secret("voter-key", "VOTER_KEY_FILE", a.settings.VoterKey), a.redisClientPassword()},
		User:         programs.User,
		Ports:        []cluster.Port{{Inside: httpPort, Outside: frontendPort}},
		HealthCheck:  []string{"/" + programs.WebVoteApp, "healthcheck"},
		StartedCheck: []string{"/" + programs.WebVoteApp, "healthcheck", programs.StartedPage},
		// Interlock looks at both host and domain name. A container with the host name "votingapp.local" and no domain name is no
		// backend.
		Host:     cluster.HostName{Host: host, Domain: domain},
		ReadOnly: true,
		Limits:   cluster.Limits{Memory: webMemory, Files: 24_576},
		Update:   cluster.Update{After: before, Await: true},
	})
}
