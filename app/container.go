package app

import (
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// stopGrace is how many seconds a container has to finish what it is doing before it is killed: a worker its batch,
// PostgreSQL its shutdown.
const stopGrace = 30

// port is a port of a container that its node publishes.
type port struct {
	inside, outside int
}

// container describes a container of the application, apart from where it goes.
type container struct {
	name        string
	image       pulumi.StringInput
	command     []string
	environment pulumi.StringArray
	ports       []port
	volume      *docker.Volume // with mountPath
	mountPath   string
	healthcheck []string // command that proves the container works
	awaited     bool     // creation waits until it does
	readOnly    bool     // nothing in the image is ever written to
}

// place starts a container on a member of the cluster, by way of whatever takes such orders there.
func (a *App) place(ctx *pulumi.Context, node *infra.Node, c container, adjust func(*docker.ContainerArgs), options ...pulumi.ResourceOption) (*docker.Container, error) {
	place := a.cluster.Places[node.Name]
	arguments := c.arguments()
	arguments.Envs = append(pulumi.ToStringArray(place.Environment), c.environment...)
	arguments.NetworkMode = place.NetworkMode.ToStringOutput().ToStringPtrOutput()
	for _, port := range c.ports {
		arguments.Ports = append(arguments.Ports.(docker.ContainerPortArray), docker.ContainerPortArgs{
			Internal: pulumi.Int(port.inside),
			External: pulumi.Int(port.outside),
			// The Swarm manager reports the node's own address whatever is asked for: with any other one here, every
			// `pulumi up` would replace the container.
			Ip: pulumi.String(node.Address.String()),
		})
	}
	if adjust != nil {
		adjust(arguments)
	}
	running, err := docker.NewContainer(ctx, c.name, arguments, slices.Concat(node.Follow(), []pulumi.ResourceOption{
		pulumi.Provider(place.Provider), a.inside,
		pulumi.DependsOn([]pulumi.Resource{place.Network}),
		// Before a network can go, its containers must.
		pulumi.ReplaceWith([]pulumi.Resource{place.Network, node.Machine}),
		// A name and a port can belong to one container at a time.
		pulumi.DeleteBeforeReplace(true),
	}, options)...)
	a.placed = append(a.placed, placed{name: c.name, node: node, container: running})
	return running, err
}

// arguments are what a container's place does not change.
func (c container) arguments() *docker.ContainerArgs {
	arguments := &docker.ContainerArgs{
		Name:                pulumi.String(c.name),
		Image:               c.image,
		Restart:             pulumi.String("unless-stopped"),
		DestroyGraceSeconds: pulumi.Int(stopGrace),
		// Otherwise the provider removes a container that it finds stopped when it only was to look at it, even in a preview.
		MustRun: pulumi.Bool(false),
		// The engine writes its defaults for logs into every container that says nothing, and they would then look like a
		// change: so the container says what the engine is set to.
		LogDriver: pulumi.String(cluster.LogDriver),
		LogOpts:   pulumi.StringMap{"max-size": pulumi.String(cluster.LogSize), "max-file": pulumi.String(cluster.LogFiles)},
		Labels:    docker.ContainerLabelArray{docker.ContainerLabelArgs{Label: pulumi.String(infra.Mark), Value: pulumi.String("")}},
		Ports:     docker.ContainerPortArray{},
	}
	if len(c.command) > 0 {
		arguments.Command = pulumi.ToStringArray(c.command)
	}
	if c.volume != nil {
		arguments.Volumes = docker.ContainerVolumeArray{docker.ContainerVolumeArgs{
			VolumeName:    c.volume.Name,
			ContainerPath: pulumi.String(c.mountPath),
		}}
	}
	if c.readOnly {
		arguments.ReadOnly = pulumi.Bool(true)
	}
	if len(c.healthcheck) > 0 {
		arguments.Healthcheck = docker.ContainerHealthcheckArgs{
			Tests:       pulumi.ToStringArray(append([]string{"CMD"}, c.healthcheck...)),
			Interval:    pulumi.String("2s"),
			Timeout:     pulumi.String("2s"),
			StartPeriod: pulumi.String("30s"),
			Retries:     pulumi.Int(3),
		}
	}
	if c.awaited {
		arguments.Wait = pulumi.Bool(true)
		arguments.WaitTimeout = pulumi.Int(120) // seconds
	}
	return arguments
}

// placeOutside starts a container on the own engine of a node that is no member, with port 80 open to everybody. The name is
// the resource's.
func (a *App) placeOutside(ctx *pulumi.Context, name string, node *infra.Node, c container, after []pulumi.Resource, adjust func(*docker.ContainerArgs)) (*docker.Container, error) {
	arguments := c.arguments()
	arguments.Ports = docker.ContainerPortArray{docker.ContainerPortArgs{Internal: pulumi.Int(80), External: pulumi.Int(80)}}
	if adjust != nil {
		adjust(arguments)
	}
	engine := a.cluster.Engines[node.Name]
	return docker.NewContainer(ctx, name, arguments, append(node.Follow(),
		pulumi.Provider(engine.Provider), a.inside,
		pulumi.DependsOn(slices.Concat(engine.Ready, after)),
		pulumi.DeleteBeforeReplace(true),
	)...)
}

// newVolume makes a volume on a node's own engine. Containers come and go; it stays until the stack is destroyed or the
// machine is.
func (a *App) newVolume(ctx *pulumi.Context, node *infra.Node, name string) (*docker.Volume, error) {
	engine := a.cluster.Engines[node.Name]
	return docker.NewVolume(ctx, name, &docker.VolumeArgs{
		Name:   pulumi.String(name),
		Labels: docker.VolumeLabelArray{docker.VolumeLabelArgs{Label: pulumi.String(infra.Mark), Value: pulumi.String("")}},
	}, append(node.Follow(),
		pulumi.Provider(engine.Provider), a.inside,
		pulumi.DependsOn(engine.Ready),
		pulumi.DeleteBeforeReplace(true),
	)...)
}

// pull has a node's own engine pull a stock image: through the Swarm manager every node would pull it.
func (a *App) pull(ctx *pulumi.Context, node *infra.Node, name, image string) (pulumi.StringOutput, error) {
	engine := a.cluster.Engines[node.Name]
	pulled, err := docker.NewRemoteImage(ctx, name+"-image-"+node.Name, &docker.RemoteImageArgs{
		Name: pulumi.String(image),
	}, append(node.Follow(), pulumi.Provider(engine.Provider), a.inside, pulumi.DependsOn(engine.Ready))...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulled.ImageId, nil
}
