// Command vote-worker moves votes from the queues in Redis to PostgreSQL.
//
//	vote-worker                                        take votes from the queues of REDIS_ADDRESSES as they come
//	vote-worker drain [--timeout 5m] redis03:6379 ...  take what these queues hold until they are empty, say how many votes
//	                                                   that were, and exit 0 only if all of it is committed
//	vote-worker forget redis03:6379 ...                these queues are lost for good: the results do not wait for them any more
//	vote-worker recount                                count the stored votes again, and say what the tally was and is
//	vote-worker healthcheck                            exit 0 if the program that runs on this machine is healthy; for a
//	                                                   container's HEALTHCHECK
//
// It is set up by environment variables; see settings.go.
package main

import "swarm-scale/poll/service"

const program = "vote-worker"

func main() {
	service.Program[settings]{
		Name:      program,
		Does:      "take votes from the queues as they come",
		Read:      readSettings,
		Container: settings.name,
		Serve:     work,
		Health:    service.Page{Variable: "METRICS_ADDRESS", Standard: defaultMetrics, Path: "/readyz"},
		Commands: []service.Command{
			{Usage: drainUsage, Does: "take what these queues hold until they are empty", Run: drainAndStop},
			{Usage: forgetUsage, Does: "these queues are lost for good: the results do not wait for them any more", Run: forget},
			{Usage: "recount", Does: "count the stored votes again, and say what the tally was and is", Run: recount},
		},
	}.Main()
}
