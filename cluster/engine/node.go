package engine

import (
	_ "embed"
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine/install"
	"swarm-scale/infra"
	"swarm-scale/infra/packages"
	"swarm-scale/settings"
)

// Notes is the file in which a node's scripts keep state between runs. Further files have its name and a suffix.
const Notes = "/etc/docker/.swarm-scale"

var (
	// MachineFunctions are shell functions about the machine itself: as_user and others.
	//
	//go:embed scripts/machine.sh
	MachineFunctions string
	// RestartFunctions are the shell functions stop_engine, start_engine, restart_engine and await_engine.
	//
	//go:embed scripts/restart.sh
	RestartFunctions string

	//go:embed scripts/ready.sh
	readyScript string
	//go:embed scripts/disk.sh
	diskScript string
	//go:embed scripts/configure.sh
	configureScript string
	//go:embed scripts/give-back.sh
	giveBackScript string
)

// Setup says how a kind of cluster wants the engine of a node.
type Setup struct {
	Cluster      settings.Cluster
	Kind         install.Kind
	Architecture string // of the programs that the node runs, amd64 or arm64; empty: it runs none of them
	Memory       int    // how much its containers may use where the cluster gives memory out, in MiB; 0: it does not
	// Script configures the engine. In front of it stand the functions of configure.sh, of Kind, and MachineFunctions and
	// RestartFunctions. Variables are its own.
	Script    string
	Variables map[string]pulumi.StringInput
}

// New waits for a node, mounts its disk, and installs and configures its engine.
func New(ctx *pulumi.Context, node *infra.Node, setup Setup, parent pulumi.ResourceOption) (Engine, error) {
	ready, err := node.Run(ctx, node.Name+"-ready", infra.Script{
		Text: packages.Functions + MachineFunctions + readyScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"ARCHITECTURE":    pulumi.String(setup.Architecture),
			"MEMORY":          pulumi.String(strconv.Itoa(setup.Memory)),
		},
	}, parent)
	if err != nil {
		return Engine{}, err
	}
	before := []pulumi.Resource{ready}
	if node.Disk != nil {
		mounted, err := node.Run(ctx, node.Name+"-disk-mount", infra.Script{
			Text: packages.Functions + RestartFunctions + diskScript,
			Variables: map[string]pulumi.StringInput{
				"NODE_NAME": pulumi.String(node.Name),
				"DISK":      node.Disk.ID,
				"DEVICES":   node.Disk.Devices,
				"DISK_SIZE": pulumi.String(strconv.Itoa(node.Disk.Size)),
				"FOLDER":    pulumi.String(volumesFolder),
			},
		}, parent, pulumi.DependsOn(before))
		if err != nil {
			return Engine{}, err
		}
		before = append(before, mounted)
	}
	variables := map[string]pulumi.StringInput{
		"NODE_NAME":       pulumi.String(node.Name),
		"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
		"CLUSTER":         pulumi.String(setup.Cluster),
		"ENGINE_VERSION":  pulumi.String(setup.Kind.Version),
		"LOGIN_USER":      pulumi.String(node.User()),
		"LOG_DRIVER":      pulumi.String(logDriver),
		"LOG_SIZE":        pulumi.String(logSize),
		"LOG_FILES":       pulumi.String(logFiles),
		"NOTES":           pulumi.String(Notes),
	}
	maps.Copy(variables, setup.Variables)
	configured, err := node.Run(ctx, node.Name+"-engine", infra.Script{
		Text:      MachineFunctions + RestartFunctions + setup.Kind.Functions + configureScript + setup.Script,
		Variables: variables,
	}, parent, pulumi.DependsOn(before))
	if err != nil {
		return Engine{}, err
	}
	provider, err := NewProvider(ctx, node.Name, node, parent)
	if err != nil {
		return Engine{}, err
	}
	hooks, err := NewHooks(ctx, node.Name, node, OwnEndpoint)
	return Engine{Provider: provider, Hooks: hooks, Ready: []pulumi.Resource{configured}, built: map[string]pulumi.StringOutput{}}, err
}

// GiveBack returns the script that undoes what a cluster of any kind did to a node. With the argument "create" it changes nothing, and
// fails if another deployment left something there.
func GiveBack(node *infra.Node) infra.Script {
	return infra.Script{Text: MachineFunctions + RestartFunctions + giveBackScript, Variables: map[string]pulumi.StringInput{
		"NODE_NAME":  pulumi.String(node.Name),
		"LABEL":      pulumi.String(Label),
		"NOTES":      pulumi.String(Notes),
		"LOGIN_USER": pulumi.String(node.User()),
	}}
}
