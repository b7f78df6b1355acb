#!/usr/bin/env bash
# The functions about workloads that cluster.Cluster.Script promises. Other scripts begin with them.
#
# Variables: WORKLOADS_HOST  the DOCKER_HOST of the engine or Swarm manager that runs the workloads

# workload_health NAME prints healthy, starting, unhealthy, missing, or "without a check".
workload_health() {
	docker -H "$WORKLOADS_HOST" inspect --format '{{with .State.Health}}{{.Status}}{{else}}without a check{{end}}' "$1" 2>/dev/null || echo missing
}

# workload_state NAME prints running, restarting, exited …, or missing.
workload_state() {
	docker -H "$WORKLOADS_HOST" inspect --format '{{.State.Status}}' "$1" 2>/dev/null || echo missing
}

# workload_last_words NAME prints the ends of its health check's output and of its log.
workload_last_words() {
	docker -H "$WORKLOADS_HOST" inspect --format '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' "$1" 2>/dev/null |
		grep . | tail -n 1 | sed 's/^/  its check says: /' || true
	docker -H "$WORKLOADS_HOST" logs --tail 3 "$1" 2>&1 | sed 's/^/  its log ends:   /' || true
}

# workload_stop NAME stops it for good.
workload_stop() {
	docker -H "$WORKLOADS_HOST" stop "$1" >/dev/null
}

# workload_exec NAME COMMAND… runs a command in it, which gets the standard input.
workload_exec() {
	docker -H "$WORKLOADS_HOST" exec --interactive "$@"
}
