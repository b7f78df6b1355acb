#!/usr/bin/env bash
# Functions that stop and start a node's engine. Other scripts begin with them.

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

# restart_engine does not use the service's own "restart": some init scripts silently start nothing if no engine was running.
restart_engine() {
	stop_engine
	start_engine
}

# engine_command CONSUL-URL prints the command with which a systemd unit starts the engine. A unit's proxy is for registries, so the
# engine reaches Consul without it. Environment files are not read: a unit that has one is treated as having a proxy.
engine_command() {
	local environment address command
	command="$(type -P dockerd) --containerd=/run/containerd/containerd.sock"
	environment=$(systemctl show-environment && systemctl show --property Environment,EnvironmentFiles docker)
	case ${environment,,} in
	*http_proxy=* | *environmentfiles=/*)
		address=${1#*://}
		# In a unit $$ is a dollar.
		command="/bin/sh -c 'NO_PROXY=\"\$\${NO_PROXY:-\$\$no_proxy},${address%:*}\" exec $command'"
		;;
	esac
	printf '%s\n' "$command"
}

# await_engine waits until the engine answers, for at most a minute. curl is cheaper than docker where several scripts wait.
await_engine() {
	local end=$((SECONDS + 60))
	until curl -fsS --max-time 5 --unix-socket /var/run/docker.sock http://engine/_ping >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.5
	done
}

# follow_consul GENERATION NOTES restarts the engine if Consul has started without data since the last run. The engine caches
# networks, and ignores those of a recreated Consul. NOTES is the node's file of state between runs.
follow_consul() {
	local known=$2-store
	if [ -s "$known" ] && [ "$(cat "$known")" != "$1" ]; then
		echo "Consul has started without data: restarting the engine"
		restart_engine
		await_engine
	fi
	printf '%s\n' "$1" >"$known"
}
