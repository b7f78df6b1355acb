package swarmmode

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
)

var (
	//go:embed scripts/on-node.sh
	onNodeFunctions string
	//go:embed scripts/on-manager.sh
	onManagerFunctions string
	//go:embed scripts/last-words.sh
	lastWordsScript string
)

// Run implements cluster.Cluster.
func (c *swarm) Run(ctx *pulumi.Context, w cluster.Workload, parent pulumi.Resource) (*cluster.Running, error) {
	own := c.engines[w.Node.Name]
	if !isMember(w.Node.Role) {
		running, err := own.Run(ctx, w, parent)
		if err != nil {
			return nil, err
		}
		return running, engine.AwaitHealth(ctx, c, running, parent)
	}
	inside := pulumi.Parent(parent)
	needs, err := own.Prepare(ctx, w, inside)
	if err != nil {
		return nil, err
	}
	hooks, err := c.withLastWords(ctx, w)
	if err != nil {
		return nil, err
	}
	joined := c.joined[w.Node.Name]
	service, err := docker.NewService(ctx, w.ResourceName(), c.service(w, needs), append(c.follow(),
		inside, pulumi.ResourceHooks(hooks),
		pulumi.DependsOn(slices.Concat([]pulumi.Resource{c.overlay}, needs.After, cluster.Containers(w.Update.After))),
		// A network with services cannot be deleted.
		pulumi.ReplaceWith([]pulumi.Resource{c.overlay, joined}),
		// When the node's machine is lost, its services are not deleted, because the manager that was asked last may be lost with it. The hook
		// before the next creation removes them. When the node leaves the stack, way.sh does.
		pulumi.DeletedWith(joined),
	)...)
	if err != nil {
		return nil, err
	}
	running := &cluster.Running{Workload: w, Container: service, ID: service.ID().ToStringOutput()}
	if needs.Volume != nil {
		running.Data = needs.Volume
	}
	return running, nil
}

// startPeriod is how long a container may take to become healthy. Swarm mode replaces one that takes longer, and a database that recovers, or
// a queue that reads its file, must not begin again and again. The provider reads it back in this form; any other would be a difference for ever.
const startPeriod = "10m"

// firstLook is when the provider looks for the first time whether a service works. It looks again 5 s later, and then every 10 s. A container's
// first health check is after 5 s, and a web container passes its second one, because its queue's name is known after the first.
const firstLook = "8s"

// withLastWords returns the swarm's hooks, and one that shows what the workload's container said when its service does not work. The docker
// provider does not tell.
func (c *swarm) withLastWords(ctx *pulumi.Context, w cluster.Workload) (*pulumi.ResourceHookBinding, error) {
	remote := w.Node.Remote(ctx)
	words, err := ctx.RegisterErrorHook("last-words-"+w.Name, func(arguments *pulumi.ErrorHookArgs) (bool, error) {
		if arguments.FailedOperation == "delete" {
			return false, nil
		}
		said, err := remote.Run("last-words", onNodeFunctions+lastWordsScript, map[string]string{"WORKLOAD": w.Name})
		if err != nil {
			said = fmt.Sprintf("  %s does not say why: %v", w.Node.Name, err)
		}
		return false, ctx.Log.Error(fmt.Sprintf("%s does not work:\n%s", w.Name, said), nil)
	})
	if err != nil {
		return nil, err
	}
	return &pulumi.ResourceHookBinding{BeforeCreate: c.hooks.BeforeCreate, OnError: append(slices.Clone(c.hooks.OnError), words)}, nil
}

// service describes a workload's service for the docker provider: one container on the workload's node. The provider waits until it runs
// and is healthy. A changed one that does not get healthy is rolled back, and the provider fails.
func (c *swarm) service(w cluster.Workload, needs engine.Needs) *docker.ServiceArgs {
	container := docker.ServiceTaskSpecContainerSpecArgs{
		Image:           needs.Image,
		StopGracePeriod: pulumi.Sprintf("%ds", engine.StopGrace),
		CapDrops:        pulumi.ToStringArray([]string{"ALL"}),
		Labels:          docker.ServiceTaskSpecContainerSpecLabelArray{docker.ServiceTaskSpecContainerSpecLabelArgs{Label: pulumi.String(engine.Label), Value: pulumi.String("")}},
	}
	if version := engine.SecretsVersion(w); version != "" {
		// A changed one makes another container.
		container.Labels = append(container.Labels.(docker.ServiceTaskSpecContainerSpecLabelArray),
			docker.ServiceTaskSpecContainerSpecLabelArgs{Label: pulumi.String(engine.Label + ".secrets"), Value: pulumi.String(version)})
	}
	if len(w.Command) > 0 {
		container.Args = pulumi.ToStringArray(w.Command)
	}
	environment := pulumi.StringMap{}
	for _, variable := range engine.Variables(w) {
		environment[variable.Name] = pulumi.String(variable.Value)
	}
	if len(environment) > 0 {
		container.Env = environment
	}
	if len(w.Capabilities) > 0 {
		var adds pulumi.StringArray
		for _, name := range w.Capabilities {
			adds = append(adds, pulumi.String("CAP_"+name))
		}
		container.CapAdds = adds
	}
	if w.Host.Host != "" {
		container.Hostname = pulumi.String(w.Host.Host)
	}
	if w.ReadOnly {
		container.ReadOnly = pulumi.Bool(true)
	}
	if len(w.HealthCheck) > 0 {
		command := w.StartedCheck
		if command == nil {
			command = w.HealthCheck
		}
		check := engine.HealthCheck(command)
		container.Healthcheck = docker.ServiceTaskSpecContainerSpecHealthcheckArgs{
			Tests: check.Tests, Interval: check.Interval, Timeout: check.Timeout, StartPeriod: pulumi.String(startPeriod), Retries: check.Retries,
		}
	}
	if mounts := mounts(w, needs); len(mounts) > 0 {
		container.Mounts = mounts
	}
	var ports docker.ServiceEndpointSpecPortArray
	for _, port := range w.Ports {
		ports = append(ports, docker.ServiceEndpointSpecPortArgs{
			TargetPort: pulumi.Int(port.Inside), PublishedPort: pulumi.Int(port.Outside), Protocol: pulumi.String("tcp"),
			// Not by the mesh of all nodes, which needs IPVS in the kernels, and behind which everybody has the mesh's address.
			PublishMode: pulumi.String("host"),
		})
	}
	endpoint := docker.ServiceEndpointSpecArgs{Mode: pulumi.String("dnsrr")}
	if len(ports) > 0 {
		endpoint.Ports = ports
	}
	return &docker.ServiceArgs{
		Name:   pulumi.String(w.Name),
		Labels: docker.ServiceLabelArray{docker.ServiceLabelArgs{Label: pulumi.String(engine.Label), Value: pulumi.String("")}},
		Mode:   docker.ServiceModeArgs{Replicated: docker.ServiceModeReplicatedArgs{Replicas: pulumi.Int(1)}},
		TaskSpec: docker.ServiceTaskSpecArgs{
			ContainerSpec:     container,
			NetworksAdvanceds: docker.ServiceTaskSpecNetworksAdvancedArray{docker.ServiceTaskSpecNetworksAdvancedArgs{Name: c.overlay.ID().ToStringOutput()}},
			Placement:         docker.ServiceTaskSpecPlacementArgs{Constraints: pulumi.ToStringArray([]string{"node.hostname==" + w.Node.Name})},
			Resources:         docker.ServiceTaskSpecResourcesArgs{Limits: docker.ServiceTaskSpecResourcesLimitsArgs{MemoryBytes: pulumi.Int(w.Limits.Memory << 20)}},
			// Without a window, every deployment would find a difference.
			RestartPolicy: docker.ServiceTaskSpecRestartPolicyArgs{Condition: pulumi.String("any"), Delay: pulumi.String("0s"), Window: pulumi.String("0s"), MaxAttempts: pulumi.Int(0)},
		},
		EndpointSpec: endpoint,
		UpdateConfig: docker.ServiceUpdateConfigArgs{
			Parallelism: pulumi.Int(1), Order: pulumi.String("stop-first"), FailureAction: pulumi.String("rollback"), MaxFailureRatio: pulumi.String("0.0"),
			Delay: pulumi.String("0s"), Monitor: pulumi.String("5s"),
		},
		RollbackConfig: docker.ServiceRollbackConfigArgs{
			Parallelism: pulumi.Int(1), Order: pulumi.String("stop-first"), FailureAction: pulumi.String("pause"), MaxFailureRatio: pulumi.String("0.0"),
			Delay: pulumi.String("0s"), Monitor: pulumi.String("5s"),
		},
		ConvergeConfig: docker.ServiceConvergeConfigArgs{Delay: pulumi.String(firstLook), Timeout: pulumi.String("2m0s")},
	}
}

// mounts returns a workload's volume, files and folders in memory.
func mounts(w cluster.Workload, needs engine.Needs) docker.ServiceTaskSpecContainerSpecMountArray {
	var mounts docker.ServiceTaskSpecContainerSpecMountArray
	if w.Volume != nil {
		mounts = append(mounts, docker.ServiceTaskSpecContainerSpecMountArgs{
			Type: pulumi.String("volume"), Source: needs.Volume.Name, Target: pulumi.String(w.Volume.Path),
		})
	}
	for _, folder := range engine.Folders(w) {
		mounts = append(mounts, docker.ServiceTaskSpecContainerSpecMountArgs{
			Type: pulumi.String("bind"), Source: pulumi.String(folder.Source), Target: pulumi.String(folder.Target), ReadOnly: pulumi.Bool(true),
		})
	}
	for _, folder := range w.Scratch {
		// The provider (4.10.0) panics if it has a size. It counts for the memory that the workload may use.
		mounts = append(mounts, docker.ServiceTaskSpecContainerSpecMountArgs{Type: pulumi.String("tmpfs"), Target: pulumi.String(folder)})
	}
	return mounts
}

// Script implements cluster.Cluster.
func (c *swarm) Script(ctx *pulumi.Context, name string, about *cluster.Running, script infra.Script, options ...pulumi.ResourceOption) (pulumi.Resource, error) {
	node := c.manager
	functions := onManagerFunctions
	switch {
	case about == nil:
	case isMember(about.Node.Role):
		node, functions = about.Node, onNodeFunctions
	default:
		node, functions = about.Node, "WORKLOADS_HOST="+engine.OwnEndpoint+"\n"+engine.WorkloadFunctions
	}
	script.Text = functions + script.Text
	return node.Run(ctx, name, script, options...)
}

// Present implements cluster.Cluster.
func (c *swarm) Present(ctx *pulumi.Context, workloads []*cluster.Running) pulumi.StringOutput {
	var own, services []*cluster.Running
	for _, running := range workloads {
		if isMember(running.Node.Role) {
			services = append(services, running)
		} else {
			own = append(own, running)
		}
	}
	return pulumi.All(engine.Present(ctx, own), engine.PresentServices(ctx, c.manager, services)).ApplyT(func(answers []any) string {
		return strings.TrimSpace(answers[0].(string) + answers[1].(string))
	}).(pulumi.StringOutput)
}
