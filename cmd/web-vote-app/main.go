// Command web-vote-app serves the vote page and queues the votes in the Redis of its own number.
//
//	web-vote-app               serve
//	web-vote-app healthcheck   exit 0 if the one that serves on this machine is healthy: for a container's HEALTHCHECK
//
// It is set up by environment variables; see settings.go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"swarm-scale/poll/environment"
	"swarm-scale/poll/service"
)

const program = "web-vote-app"

func main() {
	ctx, stop := service.UntilSignal()
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it returns the exit code.
func run(ctx context.Context, arguments []string, lookup func(string) string, stdout, stderr io.Writer) int {
	switch {
	case len(arguments) == 1 && arguments[0] == "healthcheck":
		return service.Healthcheck(stdout, environment.NewReader(lookup).Text("LISTEN_ADDRESS", defaultListen), "/healthz")
	case len(arguments) != 0:
		fmt.Fprintf(stderr, "%s does not know %q: run it without arguments to serve, or with healthcheck\n", program, arguments)
		return service.ExitSettings
	}
	return service.Run(ctx, program, lookup, stderr, readSettings, settings.container, serve)
}
