#!/usr/bin/env bash
# Functions about an engine that keeps its state in Consul. Other scripts begin with them.
#
# Functions: restart_engine, await_engine

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
