package engine

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// Image pulls or builds an image on the node's engine, and returns its ID. Through a Swarm manager, every node would pull it.
func (e Engine) Image(ctx *pulumi.Context, node *infra.Node, image cluster.Image, parent pulumi.ResourceOption) (pulumi.StringOutput, error) {
	if image.Context != "" {
		return e.build(ctx, node, image, parent)
	}
	pulled, err := e.pull(ctx, node, image, parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulled.ImageId, nil
}

// pull pulls a stock image on the node's engine.
func (e Engine) pull(ctx *pulumi.Context, node *infra.Node, image cluster.Image, parent pulumi.ResourceOption) (*docker.RemoteImage, error) {
	return docker.NewRemoteImage(ctx, image.Name+"-image-"+node.Name, &docker.RemoteImageArgs{
		Name: pulumi.String(image.Reference),
	}, e.on(node, parent)...)
}

// build builds an image on the node's engine, once for all of its workloads. The ID changes if and only if the content does.
func (e Engine) build(ctx *pulumi.Context, node *infra.Node, image cluster.Image, parent pulumi.ResourceOption) (pulumi.StringOutput, error) {
	if id, ok := e.built[image.Name]; ok {
		return id, nil
	}
	options := e.on(node, parent)
	var arguments pulumi.StringMap
	if image.Base != nil {
		pulled, err := e.pull(ctx, node, *image.Base, parent)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		options = append(options, pulumi.DependsOn([]pulumi.Resource{pulled}))
		arguments = pulumi.StringMap{"BASE": pulumi.String(image.Base.Reference)}
	}
	built, err := docker.NewImage(ctx, image.Name+"-"+node.Name, &docker.ImageArgs{
		ImageName: pulumi.String(image.Name),
		SkipPush:  pulumi.Bool(true),
		Build: docker.DockerBuildArgs{
			Context:        pulumi.String(image.Context),
			Dockerfile:     pulumi.String(image.Context + "/Dockerfile"),
			Platform:       pulumi.String(image.Platform),
			Args:           arguments,
			BuilderVersion: docker.BuilderVersionBuilderBuildKit,
		},
	}, options...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	e.built[image.Name] = built.RepoDigest
	return built.RepoDigest, nil
}
