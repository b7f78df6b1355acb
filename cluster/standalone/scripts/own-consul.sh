#!/usr/bin/env bash
# Functions about an engine that keeps its state in the Consul of its own node. Other scripts begin with them.
#
# Variables: DAEMON  the engine's configuration; default: /etc/docker/daemon.json
#            UNIT    what the stack adds to the engine's unit; default: /etc/systemd/system/docker.service.d/swarm-scale.conf
#            NOTES   the node's file of state between runs

# store_now WANTED prints the store that the engine has. That is another one than the wanted one on a node of a stack that had one manager.
store_now() {
	local store=
	if [ -e "$NOTES" ]; then store=$(sed -n 's|^  "cluster-store": "\(consul://[^"]*\)",$|\1|p' "${DAEMON:-/etc/docker/daemon.json}" 2>/dev/null) || true; fi
	printf '%s\n' "${store:-$1}"
}

# use_store WANTED has the engine keep its state there. An engine reads its store only when it starts. Then its containers start anew.
use_store() {
	local former address containers id end unit=${UNIT:-/etc/systemd/system/docker.service.d/swarm-scale.conf}
	former=$(store_now "$1")
	if [ "$former" = "$1" ]; then return; fi
	echo "the engine has kept its state in $former: restarting it with $1"
	sed -i "s|\"$former\"|\"$1\"|" "${DAEMON:-/etc/docker/daemon.json}"
	if [ -e "$unit" ]; then
		address=${former#*://} address=${address%:*}
		sed -i "s|,${address//./\\.}\"|,127.0.0.1\"|" "$unit" # what engine_command writes where there is a proxy
		systemctl daemon-reload
	fi
	mapfile -t containers < <(own ps --quiet --filter label=swarm-scale)
	restart_engine
	await_engine
	# The other half of the frontends waits for this one.
	end=$((SECONDS + 60))
	for id in "${containers[@]}"; do
		until is_well "$id" || [ "$SECONDS" -ge "$end" ]; do sleep 1; done
	done
}

# is_well CONTAINER succeeds if the container runs, is gone, or has no health check that fails.
is_well() {
	local state
	state=$(own inspect --type container --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$1" 2>/dev/null) || return 0
	case $state in
	"running " | "running healthy") ;;
	*) return 1 ;;
	esac
}
