#!/usr/bin/env bash
# What scripts share that restart an engine. Stands in front of each of them.

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

# Not the service's own "restart": where the engine was never started, some stop it and say nothing.
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

# follow_consul GENERATION NOTES restarts the engine if Consul began with nothing since the engine last followed it. The engine
# caches networks and ignores those of a recreated Consul. NOTES is where the node keeps what it has to remember.
follow_consul() {
	local known=$2-store
	if [ -s "$known" ] && [ "$(cat "$known")" != "$1" ]; then
		echo "Consul began with nothing: the engine is restarted"
		restart_engine
		await_engine
	fi
	printf '%s\n' "$1" >"$known"
}
