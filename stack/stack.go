// Package stack is the whole deployment, from a stack's settings to its outputs. main.go runs it under `pulumi up`. The demo and the
// tests run the same function.
package stack

import (
	"fmt"
	"os"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"swarm-scale/app"
	"swarm-scale/cluster"
	"swarm-scale/cluster/engine"
	"swarm-scale/cluster/standalone"
	"swarm-scale/cluster/swarmmode"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Deploy describes a stack: settings, machines, cluster, application, outputs. If settings, or variables of the environment, are
// invalid, it registers no resource, and the error joins all faults.
func Deploy(ctx *pulumi.Context) error {
	if err := checkEnvironment(ctx, os.Getenv); err != nil {
		return err
	}
	return Program(infra.SSH)(ctx)
}

// Program is Deploy with another way to run the scripts of resource hooks on nodes. The plugins' environment is not checked.
func Program(shell infra.Shell) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error { return deploy(ctx, shell) }
}

// clusters are the kinds of cluster: what traffic and memory each needs, and what makes it.
var clusters = map[settings.Cluster]struct {
	traffic func(settings.Settings) []infra.Rule
	memory  func(settings.Settings) map[topology.Role]int // that its own programs may use on nodes with others; nil: none
	start   func(*pulumi.Context, settings.Settings, *infra.Machines) (cluster.Cluster, error)
}{
	settings.SwarmMode:  {swarmmode.Traffic, nil, swarmmode.New},
	settings.Standalone: {standalone.Traffic, standalone.Memory, standalone.New},
}

func deploy(ctx *pulumi.Context, shell infra.Shell) error {
	s, err := readSettings(ctx)
	if err != nil {
		return err
	}
	kind := clusters[s.Cluster]
	memory := app.Memory(s)
	if kind.memory != nil {
		for role, own := range kind.memory(s) {
			memory[role] += own
		}
	}
	machines, err := infra.New(ctx, s, infra.Demands{
		Traffic:   slices.Concat(kind.traffic(s), app.Traffic(s)),
		KeepsData: app.KeepsData(),
		Memory:    memory,
		GiveBack:  engine.GiveBack,
		Shell:     shell,
	})
	if err != nil {
		return err
	}
	swarm, err := kind.start(ctx, s, machines)
	if err != nil {
		return err
	}
	poll, err := app.New(ctx, s, machines, swarm)
	if err != nil {
		return err
	}
	export(ctx, machines, poll)
	return nil
}

// readSettings loads the stack's settings from its configuration.
func readSettings(ctx *pulumi.Context) (settings.Settings, error) {
	values := config.New(ctx, settings.Namespace)
	s, err := settings.Load(settings.Source{
		Value: func(key string) (string, bool) {
			value, err := values.Try(key)
			return value, err == nil
		},
		IsSecret: func(key string) bool { return ctx.IsConfigSecret(settings.Namespace + ":" + key) },
		ReadFile: os.ReadFile,
		Mode:     keyMode,
	})
	if err != nil {
		return s, fmt.Errorf("the settings of stack %s have to be mended first; nothing was changed:\n%w", ctx.Stack(), err)
	}
	if !ctx.DryRun() && s.SSH.PrivateKeyFile == "" && os.Getenv("SSH_AUTH_SOCK") == "" {
		return s, fmt.Errorf("no SSH key to log in on the machines with; nothing was changed:\n%w", settings.Fault{
			Key: "sshPrivateKeyFile", Kind: settings.Missing, Problem: "is not set, and there is no SSH agent",
			Remedy: `start one with: eval "$(ssh-agent)" && ssh-add KEY-FILE, or set the key's file: pulumi config set sshPrivateKeyFile KEY-FILE`,
		})
	}
	return s, nil
}
