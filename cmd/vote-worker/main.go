// Command vote-worker moves votes from the queues in Redis to PostgreSQL.
//
//	vote-worker                                  drain the queues of redis FROM_REDIS_HOST to TO_REDIS_HOST, for ever
//	vote-worker drain [--timeout 5m] 3 [4 ...]   empty the queues of redis03 (and redis04 ...) to the last entry, say how
//	                                             many votes that were, and exit 0 only if all of it is committed
//	vote-worker healthcheck                      exit 0 if the program that runs on this machine is healthy; for a
//	                                             container's HEALTHCHECK
//
// It is set up by environment variables; see settings.go.
package main

import "swarm-scale/poll/service"

const program = "vote-worker"

func main() {
	service.Program[settings]{
		Name:      program,
		Does:      "drain the queues, for ever",
		Read:      readSettings,
		Container: settings.name,
		Serve:     work,
		Health:    service.Page{Variable: "METRICS_ADDRESS", Standard: defaultMetrics, Path: "/readyz"},
		Commands: []service.Command{
			{Usage: "drain [--timeout 5m] NUMBER ...", Does: "empty the queues of these redis and exit", Run: drainAndStop},
		},
	}.Main()
}
