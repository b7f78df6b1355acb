package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/programs"
	"swarm-scale/infra"
)

// newResults runs the results page on the store node.
func (a *App) newResults(ctx *pulumi.Context, node *infra.Node) error {
	image, err := a.build(ctx, node, programs.ResultsApp)
	if err != nil {
		return err
	}
	page := container{
		name:  programs.ResultsApp,
		image: image,
		environment: pulumi.StringArray{
			pulumi.String("OPTION_A=" + a.settings.Ballot.OptionA),
			pulumi.String("OPTION_B=" + a.settings.Ballot.OptionB),
			a.postgresPassword(),
		},
		ports:       []port{{inside: 80, outside: 80}},
		healthcheck: []string{"/" + programs.ResultsApp, "healthcheck"},
		readOnly:    true,
	}
	if !node.HasOwnPublicAddress() {
		_, err = a.place(ctx, node, page, nil)
		return err
	}
	// The public address is on an interface of the machine's own, so the page has to be there, too. What the manager then
	// reports as published differs from what was asked for, and must not count as a change.
	_, err = a.place(ctx, node, page, func(arguments *docker.ContainerArgs) {
		arguments.Ports = docker.ContainerPortArray{docker.ContainerPortArgs{Internal: pulumi.Int(80), External: pulumi.Int(80)}}
	}, pulumi.IgnoreChanges([]string{"ports"}))
	return err
}
