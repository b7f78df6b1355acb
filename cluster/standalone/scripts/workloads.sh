#!/usr/bin/env bash
# What scripts ask the cluster about workloads. Stands in front of each of them.
#
# Variables: WORKLOADS_HOST  the engine or Swarm manager that has the workloads, as docker writes it

# workload_health NAME says healthy, starting, unhealthy, missing, or "without a check".
workload_health() {
	docker -H "$WORKLOADS_HOST" inspect --format '{{with .State.Health}}{{.Status}}{{else}}without a check{{end}}' "$1" 2>/dev/null || echo missing
}

# workload_state NAME says running, restarting, exited …, or missing.
workload_state() {
	docker -H "$WORKLOADS_HOST" inspect --format '{{.State.Status}}' "$1" 2>/dev/null || echo missing
}

# workload_last_words NAME says what its health check and its log said last.
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
