// Package engine has what every kind of cluster does with a node's own Docker Engine: pull and build images, make volumes and
// configuration, and run the containers of nodes that are no members. It also has the network between the engines.
package engine

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// Label is on the stack's containers and volumes. A machine that is given back is cleared by it.
const Label = "swarm-scale"

// volumesFolder is where an engine keeps its volumes.
const volumesFolder = "/var/lib/docker/volumes"

// Settings of container logs. A log file has at most logSize. logFiles of them are kept.
const (
	logDriver = "json-file"
	logSize   = "10m"
	logFiles  = "3"
)

// OwnEndpoint is the DOCKER_HOST of a node's own engine, on the node.
const OwnEndpoint = "unix:///var/run/docker.sock"

// Engine is a node's own Docker Engine.
type Engine struct {
	Provider *docker.Provider
	Hooks    *pulumi.ResourceHookBinding
	Ready    []pulumi.Resource // must exist before the engine is used

	built map[string]pulumi.StringOutput // the IDs of the images that are built on it, by their names
}

// NewProvider makes a docker provider that calls docker on the node through SSH.
func NewProvider(ctx *pulumi.Context, name string, node *infra.Node, parent pulumi.ResourceOption) (*docker.Provider, error) {
	return docker.NewProvider(ctx, name, &docker.ProviderArgs{
		Host:    node.DockerHost(),
		SshOpts: node.SSHOptions(),
		// The check dials every machine, and a preview has to work when machines are down. An operation that cannot reach its
		// machine fails anyway.
		DisableDockerDaemonCheck: pulumi.Bool(true),
	}, parent)
}

// Needs is what a workload needs on its node before it starts.
type Needs struct {
	Image  pulumi.StringInput
	Volume *docker.Volume    // nil: none
	After  []pulumi.Resource // must exist first
}

// Prepare makes what the workload needs.
func (e Engine) Prepare(ctx *pulumi.Context, w cluster.Workload, parent pulumi.ResourceOption) (needs Needs, err error) {
	if needs.Image, err = e.Image(ctx, w.Node, w.Image, parent); err != nil {
		return needs, err
	}
	if w.Volume != nil {
		if needs.Volume, err = e.volume(ctx, w.Node, w.Volume.Name, parent); err != nil {
			return needs, err
		}
	}
	if len(w.Secrets) > 0 {
		written, err := e.writeSecrets(ctx, w, parent)
		if err != nil {
			return needs, err
		}
		needs.After = append(needs.After, written)
	}
	if w.Config != nil {
		written, err := e.configure(ctx, w, parent)
		if err != nil {
			return needs, err
		}
		needs.After = append(needs.After, written)
	}
	return needs, nil
}

// on returns the options of a resource on the node's engine.
func (e Engine) on(node *infra.Node, parent pulumi.ResourceOption, options ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append(append(node.Follow(), pulumi.Provider(e.Provider), parent, pulumi.DependsOn(e.Ready)), options...)
}

// volume makes a volume. It exists as long as the stack and the machine do.
func (e Engine) volume(ctx *pulumi.Context, node *infra.Node, name string, parent pulumi.ResourceOption) (*docker.Volume, error) {
	return docker.NewVolume(ctx, name, &docker.VolumeArgs{
		Name:   pulumi.String(name),
		Labels: docker.VolumeLabelArray{docker.VolumeLabelArgs{Label: pulumi.String(Label), Value: pulumi.String("")}},
	}, e.on(node, parent, pulumi.DeleteBeforeReplace(true))...)
}
