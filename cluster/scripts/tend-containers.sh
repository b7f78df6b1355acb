#!/usr/bin/env bash
# Runs on a node for as long as its engine does, as the service swarm-scale-containers, and does what the engine does not do
# by itself: starts the containers that it could not start, joins it to the others, and mends what it gets wrong about overlay
# networks.
#
# Variables: NAMESPACES  where the engine keeps its network namespaces, if elsewhere
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

failed() {
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited --filter status=created |
		xargs -r docker inspect --format '{{if .State.Error}}{{.Id}} {{.Name}}: {{.State.Error}}{{end}}' | grep . || true
}

# The engine tries once, when it starts; a container that never ran has no use of its restart policy.
start_failed() {
	local mended=no containers data
	for _ in $(seq 300); do
		await_engine || return 1
		containers=$(failed)
		if [ -z "$containers" ]; then return 0; fi
		echo "tend-containers: not started:"
		echo "$containers"
		if [ "$mended" = no ] && grep -q 'network sandbox' <<<"$containers"; then
			# After a power cut the engine wants to go on with the overlay network as its own notes have it and, not finding
			# that, can neither use the network nor forget the notes. They hold nothing that it does not make anew, apart from
			# networks that somebody else made on this machine.
			mended=yes
			data=$(docker info --format '{{.DockerRootDir}}')
			stop_engine
			rm -f "${data:?}/network/files/local-kv.db"
			start_engine
		else
			# When all machines come back together, this one may be there before the key-value store, without which there is no
			# overlay network: then it helps to try again.
			cut -d ' ' -f 1 <<<"$containers" | xargs docker start >/dev/null || true
			sleep 3
		fi
	done
	echo "tend-containers: gave up" >&2
	return 1
}

# An engine that learns of others in the store joins the first that listens. Those that start together find few or none, and
# then keep apart, alone or in groups between which the overlay network does not carry. So the engine beside the store is
# announced anew once all of them listen: whoever has found nobody yet takes that for another chance. Only that one, since
# engines that join each other are a group to which no other chance comes.
announce() {
	local known store engines engine missing
	for _ in $(seq 60); do
		known=$(docker info --format '{{.ClusterStore}} {{.ClusterAdvertise}}' 2>/dev/null) || return 1
		read -r store own <<<"$known"
		store=${store#consul://}
		if [ "${store%:*}" != "${own%:*}" ]; then return; fi
		engines=$(announced "$store") || engines=
		missing=no
		for engine in $engines; do listens "$engine" || missing=yes; done
		if grep -qxF "$own" <<<"$engines" && [ "$missing" = no ]; then break; fi
		sleep 1
	done
	if announce_anew "$store" "$own"; then
		echo "tend-containers: the engine is announced anew"
	fi
}

# free_place CONTAINER frees what a container holds of overlay networks although it does not run: one that could not be started
# does, for instance since its port was taken, and the engine would refuse its successor because of the name. The engine beside
# the store is asked to, which knows the name and not the container.
free_place() {
	local network places store
	store=$(docker info --format '{{.ClusterStore}}')
	store=${store#consul://}
	for network in $(docker network ls --filter driver=overlay --format '{{.Name}}'); do
		places=$(docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' "$network" 2>/dev/null) || continue
		if grep -qxF "$1" <<<"$places" && does_not_run "$1"; then
			docker --host "tcp://${store%:*}:2375" network disconnect --force "$network" "$1" &&
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

# mend_ways OWN-ADDRESS keeps the node's own containers from being looked for elsewhere, and others from being looked for here.
# When a container looks for another one on its node, the engine asks the other engines, too, answers itself, and notes itself
# as the tunnel's way to that container. It forgets that no more, not even when the address goes to a container elsewhere.
#
# Such a way is taken out of the tunnel: where the address is another node's by now the engine asks once more. And the bridge
# must not learn from what the tunnel answers for the node's own containers: one that has just been started, and hears nothing,
# would never say anything that could teach it better.
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

# help_out CONTAINER does what helps a container that has not worked for half a minute since it does not find another one. Where
# it does not find the name, the container is started anew: an engine that has lost sight of the names in the store looks there
# again for a container that it starts. Where there is no way to the address, the engine is: it keeps apart from the one that
# has the other container, and joins it when it starts. That at most every ten minutes; the other one may as well be down.
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

# made lists the containers that were made and do not run yet. By the engine's socket, since this is asked all the time.
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
	if [ "$status" -gt 128 ]; then # nothing for two seconds; of what is wrong here there are no events
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
