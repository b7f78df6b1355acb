package standalone

import (
	_ "embed"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/cluster/standalone/install"
	"swarm-scale/infra"
	"swarm-scale/infra/packages"
)

// notes is the file in which a node's scripts keep state between runs. Further files have its name and a suffix.
const notes = "/etc/docker/.swarm-scale"

var (
	//go:embed scripts/machine.sh
	machineScript string
	//go:embed scripts/ready.sh
	readyScript string
	//go:embed scripts/disk.sh
	diskScript string
	//go:embed scripts/engine.sh
	engineScript string
	//go:embed scripts/restart.sh
	restartScript string
	//go:embed scripts/discovery.sh
	discoveryScript string
	//go:embed scripts/give-back.sh
	giveBackScript string
	//go:embed scripts/reach.sh
	reachScript string
	//go:embed scripts/tend-containers.sh
	tendContainersScript string
)

// newEngine waits for a node, mounts its disk, and installs and configures an engine that keeps its state in Consul.
func (c *swarm) newEngine(ctx *pulumi.Context, node *infra.Node) (engine.Engine, error) {
	// Only members run the programs, and on them Swarm gives out memory.
	architecture, memory := "", 0
	if isMember(node.Role) {
		architecture, memory = c.settings.Architecture, node.Memory+agentMemory
	}
	ready, err := node.Run(ctx, node.Name+"-ready", infra.Script{
		Text: packages.Functions + machineScript + readyScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"ARCHITECTURE":    pulumi.String(architecture),
			"MEMORY":          pulumi.String(strconv.Itoa(memory)),
		},
	}, c.inside)
	if err != nil {
		return engine.Engine{}, err
	}
	before := []pulumi.Resource{ready}
	if node.Disk != nil {
		mounted, err := node.Run(ctx, node.Name+"-disk-mount", infra.Script{
			Text: packages.Functions + restartScript + diskScript,
			Variables: map[string]pulumi.StringInput{
				"NODE_NAME": pulumi.String(node.Name),
				"DISK":      node.Disk.ID,
				"DEVICES":   node.Disk.Devices,
				"DISK_SIZE": pulumi.String(strconv.Itoa(node.Disk.Size)),
				"FOLDER":    pulumi.String(engine.VolumesFolder),
			},
		}, c.inside, pulumi.DependsOn(before))
		if err != nil {
			return engine.Engine{}, err
		}
		before = append(before, mounted)
	}
	configured, err := node.Run(ctx, node.Name+"-engine", infra.Script{
		Text: ports() + machineScript + restartScript + install.Functions + engineScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"CLUSTER_STORE":   pulumi.String("consul://" + c.consul()),
			"ENGINE_VERSION":  pulumi.String(install.EngineVersion),
			"LOGIN_USER":      pulumi.String(node.User()),
			"LOG_DRIVER":      pulumi.String(engine.LogDriver),
			"LOG_SIZE":        pulumi.String(engine.LogSize),
			"LOG_FILES":       pulumi.String(engine.LogFiles),
			"NOTES":           pulumi.String(notes),

			"TEND_CONTAINERS": pulumi.String(infra.Head + ports() + restartScript + discoveryScript + reachScript + tendContainersScript),
		},
	}, c.inside, pulumi.DependsOn(before))
	if err != nil {
		return engine.Engine{}, err
	}
	provider, err := engine.NewProvider(ctx, node.Name, node, c.inside)
	if err != nil {
		return engine.Engine{}, err
	}
	hooks, err := engine.NewHooks(ctx, node.Name, node, engine.OwnEndpoint)
	return engine.Engine{Provider: provider, Hooks: hooks, Ready: []pulumi.Resource{configured}}, err
}

// GiveBack returns the script that undoes what the cluster did to a node. With the argument "create" it changes nothing, and fails
// if another deployment left something there.
func GiveBack(node *infra.Node) infra.Script {
	return infra.Script{Text: machineScript + giveBackScript, Variables: map[string]pulumi.StringInput{
		"NODE_NAME":  pulumi.String(node.Name),
		"LABEL":      pulumi.String(engine.Label),
		"NOTES":      pulumi.String(notes),
		"LOGIN_USER": pulumi.String(node.User()),
	}}
}
