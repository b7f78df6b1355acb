package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

// build has a node's own engine make the image of one of the programs. The result is the image's id: a container that is
// given it is replaced when, and only when, the program or its Dockerfile has changed.
func (a *App) build(ctx *pulumi.Context, node *infra.Node, program string) (pulumi.StringOutput, error) {
	engine := a.cluster.Engines[node.Name]
	folder := a.programs.Folder(program)
	image, err := docker.NewImage(ctx, program+"-"+node.Name, &docker.ImageArgs{
		ImageName: pulumi.String(program),
		SkipPush:  pulumi.Bool(true),
		Build: docker.DockerBuildArgs{
			Context:        pulumi.String(folder),
			Dockerfile:     pulumi.String(folder + "/Dockerfile"),
			Platform:       pulumi.String(a.programs.Platform),
			BuilderVersion: docker.BuilderVersionBuilderBuildKit,
		},
	}, append(node.Follow(), pulumi.Provider(engine.Provider), a.inside, pulumi.DependsOn(engine.Ready))...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return image.RepoDigest, nil
}
