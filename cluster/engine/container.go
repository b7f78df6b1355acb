package engine

import (
	"path"
	"slices"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
)

// StopGrace is the number of seconds from stop to kill: enough for a worker's batch and PostgreSQL's shutdown.
const StopGrace = 30

// Run runs a workload on the node's own engine, outside of any cluster. Its ports are published on every address of the node.
func (e Engine) Run(ctx *pulumi.Context, w cluster.Workload, parent pulumi.Resource) (*cluster.Running, error) {
	inside := pulumi.Parent(parent)
	needs, err := e.Prepare(ctx, w, inside)
	if err != nil {
		return nil, err
	}
	arguments := Arguments(w, needs)
	for _, port := range w.Ports {
		arguments.Ports = append(arguments.Ports.(docker.ContainerPortArray), docker.ContainerPortArgs{Internal: pulumi.Int(port.Inside), External: pulumi.Int(port.Outside)})
	}
	return Start(ctx, w, arguments, needs, e.on(w.Node, inside, pulumi.ResourceHooks(e.Hooks))...)
}

// Start makes a workload's container.
func Start(ctx *pulumi.Context, w cluster.Workload, arguments *docker.ContainerArgs, needs Needs, options ...pulumi.ResourceOption) (*cluster.Running, error) {
	if version := SecretsVersion(w); version != "" {
		options = append(options, pulumi.ReplacementTrigger(pulumi.String(version)))
	}
	container, err := docker.NewContainer(ctx, w.ResourceName(), arguments, append(options,
		pulumi.DependsOn(slices.Concat(needs.After, cluster.Containers(w.Update.After))),
		// Two containers cannot have one name or one port.
		pulumi.DeleteBeforeReplace(true),
	)...)
	if err != nil {
		return nil, err
	}
	running := &cluster.Running{Workload: w, Container: container, ID: container.ID().ToStringOutput()}
	if needs.Volume != nil {
		running.Data = needs.Volume
	}
	return running, nil
}

// Arguments returns the container of a workload for the docker provider, without ports and network.
func Arguments(w cluster.Workload, needs Needs) *docker.ContainerArgs {
	arguments := &docker.ContainerArgs{
		Name:                pulumi.String(w.Name),
		Image:               needs.Image,
		Restart:             pulumi.String("unless-stopped"),
		DestroyGraceSeconds: pulumi.Int(StopGrace),
		// Otherwise the provider removes a stopped container when it reads it, even in a preview.
		MustRun: pulumi.Bool(false),
		// Without these, the engine fills in its own, which would count as a change.
		LogDriver: pulumi.String(logDriver),
		LogOpts:   pulumi.StringMap{"max-size": pulumi.String(logSize), "max-file": pulumi.String(logFiles)},
		Labels:    docker.ContainerLabelArray{docker.ContainerLabelArgs{Label: pulumi.String(Label), Value: pulumi.String("")}},
		Ports:     docker.ContainerPortArray{},
	}
	if environment := Environment(w); len(environment) > 0 {
		arguments.Envs = environment
	}
	if len(w.Command) > 0 {
		arguments.Command = pulumi.ToStringArray(w.Command)
	}
	volumes := docker.ContainerVolumeArray{}
	if w.Volume != nil {
		volumes = append(volumes, docker.ContainerVolumeArgs{VolumeName: needs.Volume.Name, ContainerPath: pulumi.String(w.Volume.Path)})
	}
	for _, folder := range Folders(w) {
		volumes = append(volumes, docker.ContainerVolumeArgs{HostPath: pulumi.String(folder.Source), ContainerPath: pulumi.String(folder.Target), ReadOnly: pulumi.Bool(true)})
	}
	if len(volumes) > 0 {
		arguments.Volumes = volumes
	}
	if w.Host.Host != "" {
		arguments.Hostname, arguments.Domainname = pulumi.String(w.Host.Host), pulumi.String(w.Host.Domain)
	}
	if w.ReadOnly {
		arguments.ReadOnly = pulumi.Bool(true)
	}
	confine(w, arguments)
	if len(w.HealthCheck) > 0 {
		arguments.Healthcheck = HealthCheck(w.HealthCheck)
	}
	return arguments
}

// Folder is a folder on a node, Source, that a workload reads at Target.
type Folder struct{ Source, Target string }

// Folders returns the folders on its node that a workload reads.
func Folders(w cluster.Workload) []Folder {
	var folders []Folder
	if w.Config != nil {
		folders = append(folders, Folder{ConfigurationFolder(w), path.Dir(w.Config.Path)})
	}
	if len(w.Secrets) > 0 {
		folders = append(folders, Folder{SecretsFolder(w), cluster.SecretsFolder})
	}
	if w.Authorities {
		// The folder and not a file in it: the node replaces the file when it gets newer ones.
		folders = append(folders, Folder{cluster.AuthoritiesFolder, cluster.AuthoritiesFolder})
	}
	return folders
}

// HealthCheck returns how a workload's health check, a command, is run. A check starts a process in the container, which costs the engine a fifth of a
// CPU second on a small machine. Every two seconds, that alone was more than a t2.micro's share of a core for two containers.
func HealthCheck(check []string) docker.ContainerHealthcheckArgs {
	return docker.ContainerHealthcheckArgs{
		Tests:       pulumi.ToStringArray(append([]string{"CMD"}, check...)),
		Interval:    pulumi.String("5s"),
		Timeout:     pulumi.String("5s"),
		StartPeriod: pulumi.String("30s"),
		Retries:     pulumi.Int(2),
	}
}

// Variables returns the workload's environment, the paths of secrets last.
func Variables(w cluster.Workload) []cluster.Variable {
	variables := slices.Clone(w.Environment)
	for _, secret := range w.Secrets {
		if secret.Variable != "" {
			variables = append(variables, cluster.Variable{Name: secret.Variable, Value: secret.Path()})
		}
	}
	return variables
}

// Environment returns Variables as the docker provider takes a container's.
func Environment(w cluster.Workload) pulumi.StringArray {
	environment := pulumi.StringArray{}
	for _, variable := range Variables(w) {
		environment = append(environment, pulumi.String(variable.Name+"="+variable.Value))
	}
	return environment
}
