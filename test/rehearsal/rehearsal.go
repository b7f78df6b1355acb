// Package rehearsal is this repository's stack in a simulated world: its program,
// its settings with the values that a user has to add, and how long its scripts
// take. The demo and the tests of the whole stack start from it.
//
//	world := rehearsal.World(0)
//	options, err := rehearsal.Options(world, t.TempDir())
//	if err != nil {
//		t.Fatal(err)
//	}
//	options.Config["frontends"] = 10
//	s := harness.Test(t, options)
package rehearsal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/stack"
	"swarm-scale/test/harness"
	"swarm-scale/test/simulation"
)

// The secrets of the rehearsed stack. No state may have one of them in plain
// text.
const (
	PostgresPassword = "correct horse battery staple"
	VoterKey         = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// World returns an empty world with the durations of the stack's scripts. One
// second of reality takes scale seconds there. The durations are assumed, for a
// t2.micro that boots for the first time and installs Docker over a network of
// 50 Mbit/s.
func World(scale float64) *simulation.World {
	w := simulation.NewWorld(scale)
	for pattern, took := range map[string]time.Duration{
		"*-ready":        45 * time.Second, // from running to cloud-init's end
		"*-engine":       75 * time.Second, // apt, 100 MB of packages
		"*-disk-mount":   3 * time.Second,
		"*-join":         8 * time.Second,
		"*-healthy":      3 * time.Second, // its health check writes to its queue
		"*-retirement":   time.Second,
		"*-consul":       12 * time.Second,
		"*swarm-manager": 8 * time.Second,
		"swarm-members":  15 * time.Second,
		"pg-roles":       6 * time.Second, // the database makes its data first
		"check":          3 * time.Second,
	} {
		w.CommandTakes(pattern, took)
	}
	w.OnCommand("consul", consul)
	w.OnCommand("consul-generation", generation)
	w.OnCommand("swarm", swarm)
	w.OnCommand("*-way", way)
	return w
}

// consul plays the script that starts Consul. Consul begins with nothing on each
// machine, so each machine has another generation.
func consul(command simulation.Execution) (simulation.Outcome, error) {
	outcome := simulation.Outcome{Took: 12 * time.Second}
	if machine := Variable(command.Stdin, "SWARM_SCALE_MACHINE"); machine != "" {
		outcome.Stdout = "generation: of " + machine + "\n"
	}
	return outcome, nil
}

// generation plays the script that asks Consul's servers for the generation of
// their data. The members know the former one, which has the machines of the
// servers that began it. As long as one of these is there, the data is. Real servers
// need most of them, and hand it on to others.
func generation(command simulation.Execution) (simulation.Outcome, error) {
	var machines []string
	for line := range strings.Lines(Variable(command.Stdin, "MACHINES")) {
		_, machine, _ := strings.Cut(strings.TrimSpace(line), ": ")
		machines = append(machines, machine)
	}
	now := "of " + strings.Join(machines, ", ")
	for _, object := range command.World.Objects(commandType) {
		former := Variable(stringOf(object.Inputs["stdin"]), "GENERATION")
		if former != "" && slices.ContainsFunc(machines, func(machine string) bool { return strings.Contains(former, machine) }) {
			now = former
		}
	}
	return simulation.Outcome{Took: time.Second, Stdout: "generation: " + now + "\n"}, nil
}

// Options returns what runs the stack of Pulumi.dev.yaml in a world: two
// frontends and one worker on AWS, unless Config is changed. Its SSH key is
// written to dir; no machine ever sees it. The state is saved at the end of an
// operation.
func Options(w *simulation.World, dir string) (harness.Options, error) {
	root, err := Root()
	if err != nil {
		return harness.Options{}, err
	}
	key, err := simulation.NewHostKey()
	if err != nil {
		return harness.Options{}, err
	}
	keyFile := filepath.Join(dir, "id_ed25519")
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		return harness.Options{}, fmt.Errorf("write an SSH key: %w", err)
	}
	return harness.Options{
		InWorld:  func(w *simulation.World) pulumi.RunFunc { return stack.Program(Shell(w)) },
		Project:  filepath.Join(root, "Pulumi.yaml"),
		Settings: filepath.Join(root, "Pulumi.dev.yaml"),
		Config: map[string]any{
			"keyPair": "rehearsal", "operatorCidr": "203.0.113.7/32", "sshPrivateKeyFile": keyFile,
		},
		Secrets:  map[string]string{"postgresPassword": PostgresPassword, "voterKey": VoterKey},
		World:    w,
		Parallel: 64, SaveAtEnd: true,
	}, nil
}

// Root returns the folder of this repository: the one with Pulumi.yaml, at or
// above the working directory.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no Pulumi.yaml in %s or above: run this in the repository", start)
		}
	}
}
