#!/usr/bin/env bash
# What the scripts share that have to start an engine once more. Stands in front of each of them.

stop_engine() {
	if [ -d /run/systemd/system ]; then
		systemctl stop docker.socket docker 2>/dev/null || systemctl stop docker
	else
		service docker stop >/dev/null 2>&1 || true
	fi
}

start_engine() {
	if [ -d /run/systemd/system ]; then systemctl start docker; else service docker start; fi
}

# Not the service's own "restart": where the engine was never started, some end after the stop and say nothing.
restart_engine() {
	stop_engine
	start_engine
}

# await_engine waits a minute at most until the engine answers.
await_engine() {
	for _ in $(seq 120); do
		if DOCKER_HOST=unix:///var/run/docker.sock docker info >/dev/null 2>&1; then return 0; fi
		sleep 0.5
	done
	return 1
}

# follow_store GENERATION NOTES restarts the engine if its key-value store is not the one it knew: it keeps what the store once
# said of networks and addresses, and would have none of what a store says that began anew. NOTES is where the node keeps what it has to remember.
follow_store() {
	local known=$2-store
	if [ -s "$known" ] && [ "$(cat "$known")" != "$1" ]; then
		echo "the key-value store began anew: the engine is started once more"
		restart_engine
		await_engine
	fi
	printf '%s\n' "$1" >"$known"
}
