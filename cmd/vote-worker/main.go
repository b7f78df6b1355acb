// Command vote-worker moves votes from the queues in Redis to PostgreSQL.
//
//	vote-worker                                  drain the queues of redis FROM_REDIS_HOST to TO_REDIS_HOST, for ever
//	vote-worker drain [--timeout 5m] 3 [4 ...]   empty the queues of redis03 (and redis04 ...) to the last entry, say how
//	                                             many votes that were, and exit 0 only if all of it is committed
//	vote-worker healthcheck                      exit 0 if the one that works on this machine is healthy: for a
//	                                             container's HEALTHCHECK
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

const program = "vote-worker"

func main() {
	ctx, stop := service.UntilSignal()
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it returns the exit code.
func run(ctx context.Context, arguments []string, lookup func(string) string, stdout, stderr io.Writer) int {
	switch {
	case len(arguments) == 0:
		return service.Run(ctx, program, lookup, stderr, readSettings, settings.name, work)
	case arguments[0] == "drain":
		return drainAndStop(ctx, arguments[1:], lookup, stdout, stderr)
	case len(arguments) == 1 && arguments[0] == "healthcheck":
		return service.Healthcheck(stdout, environment.NewReader(lookup).Text("METRICS_ADDRESS", defaultMetrics), "/readyz")
	}
	fmt.Fprintf(stderr, "%s does not know %q: run it without arguments to work, or with healthcheck, or with "+
		"drain and the numbers of the redis to empty\n", program, arguments)
	return service.ExitSettings
}
