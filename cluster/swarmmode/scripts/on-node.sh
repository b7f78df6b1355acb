#!/usr/bin/env bash
# The functions about workloads that cluster.Cluster.Script promises, on the workload's own node. Other scripts begin with them.

on_node() { docker -H unix:///var/run/docker.sock "$@"; }

# container NAME prints the ID of the workload's newest container.
container() {
	local all
	all=$(on_node ps --all --quiet --filter "label=com.docker.swarm.service.name=$1")
	printf '%s' "${all%%$'\n'*}"
}

# workload_health NAME prints healthy, starting, unhealthy, missing, or "without a check".
workload_health() {
	on_node inspect --format '{{with .State.Health}}{{.Status}}{{else}}without a check{{end}}' "$(container "$1")" 2>/dev/null || echo missing
}

# workload_state NAME prints running, restarting, exited …, or missing.
workload_state() {
	on_node inspect --format '{{.State.Status}}' "$(container "$1")" 2>/dev/null || echo missing
}

# last_words CONTAINER prints why its engine could not start it, and the ends of its health check's output and of its log.
last_words() {
	local log
	on_node inspect --format '{{.State.Error}}' "$1" 2>/dev/null | grep . | sed 's/^/  its engine says: /' || true
	on_node inspect --format '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' "$1" 2>/dev/null |
		grep . | tail -n 1 | sed 's/^/  its check says: /' || true
	# Of a container that was removed meanwhile, the engine itself would speak.
	if log=$(on_node logs --tail 3 "$1" 2>&1) && [ -n "$log" ]; then
		printf '%s\n' "$log" | sed 's/^/  its log ends:   /'
	fi
}

# workload_last_words NAME is last_words of the workload's newest container.
workload_last_words() { last_words "$(container "$1")"; }

# workload_stop NAME stops it, until its node or engine starts anew.
workload_stop() {
	on_node stop "$(container "$1")" >/dev/null
}

# workload_exec NAME COMMAND… runs a command in it, which gets the standard input.
workload_exec() {
	local id
	id=$(container "$1")
	shift
	on_node exec --interactive "$id" "$@"
}
