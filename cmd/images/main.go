// Command images compiles the programs and makes their image contexts in .build, one folder each. `pulumi up` builds from the same
// contexts. compose.yaml uses them.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"swarm-scale/app/programs"
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
}
