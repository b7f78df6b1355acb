// Command images compiles the programs and makes their image contexts in .build, one folder each. `pulumi up` builds from the same
// contexts. compose.yaml uses them, and the load balancer's configuration, which this command writes there, too.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"swarm-scale/app/programs"
	"swarm-scale/app/wayin"
	"swarm-scale/settings"
)

func main() {
	contexts, err := programs.Build(context.Background(), runtime.GOARCH)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, program := range []string{programs.WebVoteApp, programs.VoteWorker, programs.ResultsApp} {
		fmt.Printf("%s for %s\n", contexts.Folder(program), contexts.Platform)
	}
	file := filepath.Join(filepath.Dir(contexts.Folder(programs.WebVoteApp)), "loadbalancer", "haproxy.cfg")
	if err := writeConfiguration(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(file)
}

// writeConfiguration writes HAProxy's configuration for compose.yaml. The engine's own name server knows the frontends, however
// many there are.
func writeConfiguration(file string) error {
	text, err := wayin.Configuration(wayin.Options{
		Listen:    ":80",
		Discovery: &wayin.Discovery{NameServer: "127.0.0.11:53", Address: "frontend:80", Most: 50},
		Names:     []string{"localhost", settings.VoteHost},
		// All voters come from the address of the engine's bridge.
		Limits: wayin.Limits{ConnectionsPerAddress: 10_000, VotesPerAddress: 1_000_000, NewVotersPerAddress: 1_000_000},
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
