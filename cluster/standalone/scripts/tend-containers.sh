#!/usr/bin/env bash
# Tends a node's containers for as long as its engine runs, as the service swarm-scale-containers. Each part mends one thing
# that engine 20.10 gets wrong about overlay networks, or does not do by itself:
#
#   start_failed  The engine tries once, at its own start, to start a container. After a power cut the network may come later.
#   announce      Engines that start together do not find each other.
#   free_place    A container that is gone, or was started in vain, keeps its name's place on the network.
#   mend_ways     An engine takes its own containers for another node's, and sends what is for them out of the node.
#   help_out      A container does not find another one's name, or has no way to its address.
#
# It is a script because each part is a few calls of docker, ip and bridge, and needs nothing on the node but those.
#
# Variables: NAMESPACES  where the engine keeps its network namespaces, if elsewhere
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

failed() {
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited --filter status=created |
		xargs -r docker inspect --format '{{if .State.Error}}{{.Id}} {{.Name}}: {{.State.Error}}{{end}}' | grep . || true
}

# start_failed starts the containers that the engine could not start. The restart policy does not cover one that never ran.
start_failed() {
	local mended=no containers data
	for _ in $(seq 300); do
		await_engine || return 1
		containers=$(failed)
		if [ -z "$containers" ]; then return 0; fi
		echo "tend-containers: not started:"
		echo "$containers"
		if [ "$mended" = no ] && grep -q 'network sandbox' <<<"$containers"; then
			# After a power cut the engine's own notes name an overlay network that it does not find, and it can neither use
			# the network nor forget the notes. The engine makes all of them anew, but for networks that somebody else made on
			# this machine.
			mended=yes
			data=$(docker info --format '{{.DockerRootDir}}')
			stop_engine
			rm -f "${data:?}/network/files/local-kv.db"
			start_engine
		else
			# When all machines come back together, this one may be there before Consul, without which there is no overlay
			# network. Then it helps to try again.
			cut -d ' ' -f 1 <<<"$containers" | xargs docker start >/dev/null || true
			sleep 3
		fi
	done
	echo "tend-containers: gave up" >&2
	return 1
}

# announce announces the engine beside Consul once more when all engines listen; the others do nothing.
#
# An engine that learns of others joins the first that listens. Engines that start together find few or none, and keep apart, in
# groups between which the overlay network does not carry. One that has found nobody tries again when an engine is announced.
# Only one engine may be announced: engines that join each other are a group, and a group does not try again.
announce() {
	local known consul engines engine missing
	for _ in $(seq 60); do
		known=$(docker info --format '{{.ClusterStore}} {{.ClusterAdvertise}}' 2>/dev/null) || return 1
		read -r consul own <<<"$known"
		consul=${consul#consul://}
		if [ "${consul%:*}" != "${own%:*}" ]; then return; fi
		engines=$(announced "$consul") || engines=
		missing=no
		for engine in $engines; do listens "$engine" || missing=yes; done
		if grep -qxF "$own" <<<"$engines" && [ "$missing" = no ]; then break; fi
		sleep 1
	done
	if announce_anew "$consul" "$own"; then
		echo "tend-containers: the engine is announced anew"
	fi
}

# free_place CONTAINER frees the places that a container keeps on overlay networks although it does not run: it is gone, or could
# not be started, for instance because its port was taken. The engine would refuse a successor of that name. The engine beside
# Consul is asked to free it, because that one knows the name and not the container.
free_place() {
	local network places consul
	consul=$(docker info --format '{{.ClusterStore}}')
	consul=${consul#consul://}
	for network in $(docker network ls --filter driver=overlay --format '{{.Name}}'); do
		places=$(docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' "$network" 2>/dev/null) || continue
		if grep -qxF "$1" <<<"$places" && does_not_run "$1"; then
			docker --host "tcp://${consul%:*}:$ENGINE_PORT" network disconnect --force "$network" "$1" &&
				echo "tend-containers: $network has forgotten $1, which does not run"
		fi
	done
}

# does_not_run CONTAINER: it is gone, or the engine has tried to start it in vain.
does_not_run() {
	local state
	state=$(docker inspect --type container --format '{{.State.Status}} {{with .State.Error}}failed{{end}}' "$1" 2>/dev/null) || return 0
	[ "$state" = "created failed" ]
}

# mend_ways OWN-ADDRESS takes this node out of the tunnel's forwarding entries.
#
# When a container looks for another one on its node, the engine also asks the other engines, answers itself, and enters itself
# as the tunnel's way to that container. The entry stays, even when the address goes to a container elsewhere. Without it the
# engine asks once more. The bridge must not learn from what the tunnel answers for the node's own containers: a container that
# has just started hears nothing, and so never sends what would correct the bridge.
mend_ways() {
	local namespace container
	for namespace in "${NAMESPACES:-/var/run/docker/netns}"/*-*; do
		if nsenter --net="$namespace" bridge -d link show dev vxlan0 2>/dev/null | grep -q ' learning on '; then
			nsenter --net="$namespace" ip link set dev vxlan0 type bridge_slave learning off fdb_flush
		fi
		for container in $(nsenter --net="$namespace" bridge fdb show dev vxlan0 2>/dev/null |
			awk -v own="$1" '$2 == "dst" && $3 == own { print $1 }'); do
			nsenter --net="$namespace" bridge fdb del "$container" dev vxlan0 dst "$1" self
		done
	done
}

# help_out CONTAINER helps a container that has been unhealthy for half a minute because it does not reach another one.
#
# Where it does not find the name, the container is restarted: an engine that has lost the names looks them up in Consul when it
# starts a container. Where it finds no way to the address, the engine is restarted: it keeps apart from the engine that has the
# other container, and joins it at its start. That is done at most every ten minutes, because the other one may just be down.
help_out() {
	local health
	sleep 30
	health=$(docker inspect --format '{{with .State.Health}}{{.Status}}: {{range .Log}}{{.Output}}{{end}}{{end}}' "$1" 2>/dev/null) || return 0
	case $health in
	unhealthy:*"no such host"*)
		echo "tend-containers: $1 is started anew, to find the names that it does not"
		docker restart "$1" >/dev/null
		;;
	unhealthy:*)
		# Not grep -q: it ends before it has read all, and whoever writes to it then fails.
		if engine_log | grep 'timed out resolving peer' >/dev/null && [ -z "$(find /run/swarm-scale-rejoined -mmin -10 2>/dev/null)" ]; then
			touch /run/swarm-scale-rejoined
			echo "tend-containers: the engine is started anew, to find those that it keeps apart from"
			# With the engine this service ends, and this very line with it: systemd is to do both.
			if [ -d /run/systemd/system ]; then systemctl --no-block restart docker; else restart_engine; fi
		fi
		;;
	esac
}

# engine_log is what the engine has said lately.
engine_log() {
	if [ -d /run/systemd/system ]; then
		journalctl --unit docker --since -1min --output cat
	else
		tail -n 20 /var/log/docker.log
	fi
}

# made lists the containers that were made and do not run yet. It asks the engine's socket, because it asks every two seconds.
made() {
	curl -fsS --max-time 5 --unix-socket /var/run/docker.sock --get --data-urlencode 'filters={"label":["swarm-scale"],"status":["created"]}' \
		--data all=1 http://engine/containers/json | grep -o '"Names":\["/[^"]*' | sed 's|.*/||'
}

own= # where this engine is announced
start_failed
announce
docker events --filter type=container --filter label=swarm-scale --filter event=destroy --filter event=health_status \
	--format '{{.Actor.Attributes.name}} {{.Action}}' | while :; do
	status=0
	read -r -t 2 container event || status=$?
	if [ "$status" -gt 128 ]; then # nothing for two seconds; no event tells of these faults
		mend_ways "${own%:*}" || true
		for container in $(made); do
			if does_not_run "$container"; then free_place "$container" || true; fi
		done
		continue
	fi
	[ "$status" -eq 0 ] || break # the engine has ended
	case $event in
	destroy) free_place "$container" || true ;;
	*": unhealthy") help_out "$container" & ;;
	esac
done
