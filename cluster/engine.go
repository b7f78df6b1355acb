package cluster

import (
	_ "embed"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

// engineVersion is the last Docker Engine with --cluster-store: 23.0 took it out.
const engineVersion = "20.10.24"

// What the engines do with the logs of containers: a file of LogSize at most, of which LogFiles are kept.
const (
	LogDriver = "json-file"
	LogSize   = "10m"
	LogFiles  = "3"
)

var (
	//go:embed scripts/ready.sh
	readyScript string
	//go:embed scripts/engine.sh
	engineScript string
	//go:embed scripts/restart.sh
	restartScript string
	//go:embed scripts/discovery.sh
	discoveryScript string
	//go:embed scripts/tend-containers.sh
	tendContainersScript string
)

// newEngine waits for a node and gives it an engine whose key-value store is the given one.
func newEngine(ctx *pulumi.Context, node *infra.Node, clusterStore string, parent pulumi.ResourceOption) (Engine, error) {
	ready, err := node.Run(ctx, node.Name+"-ready", infra.Script{
		Text: readyScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
		},
	}, parent)
	if err != nil {
		return Engine{}, err
	}
	engine, err := node.Run(ctx, node.Name+"-engine", infra.Script{
		Text: restartScript + engineScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"CLUSTER_STORE":   pulumi.String(clusterStore),
			"ENGINE_VERSION":  pulumi.String(engineVersion),
			"LOGIN_USER":      pulumi.String(node.User()),
			"LOG_SIZE":        pulumi.String(LogSize),
			"LOG_FILES":       pulumi.String(LogFiles),
			"NOTES":           pulumi.String(infra.Notes),

			"TEND_CONTAINERS": pulumi.String(restartScript + discoveryScript + tendContainersScript),
		},
	}, parent, pulumi.DependsOn([]pulumi.Resource{ready}))
	if err != nil {
		return Engine{}, err
	}
	provider, err := newDockerProvider(ctx, node.Name, node, parent)
	if err != nil {
		return Engine{}, err
	}
	return Engine{Provider: provider, Ready: []pulumi.Resource{engine}}, nil
}

// newDockerProvider is docker as the user that logs in on the node finds it there.
func newDockerProvider(ctx *pulumi.Context, name string, node *infra.Node, parent pulumi.ResourceOption) (*docker.Provider, error) {
	return docker.NewProvider(ctx, name, &docker.ProviderArgs{
		Host:    node.DockerHost(),
		SshOpts: node.SSHOptions(),
		// The check would dial every machine before anything else is done: a preview has to survive machines that it
		// cannot reach, and an operation that cannot reach its machine says so itself.
		DisableDockerDaemonCheck: pulumi.Bool(true),
	}, parent)
}
