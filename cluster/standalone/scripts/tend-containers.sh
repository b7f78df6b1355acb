#!/usr/bin/env bash
# The service swarm-scale-containers, which runs as long as a node's engine does. Each part repairs one fault of engine 20.10 with
# overlay networks:
#
#   start_ended   An engine that was killed ends its containers when it starts again, takes that for somebody's wish, and leaves them
#                 down.
#   start_failed  The engine starts each container once, at its own start. After a power cut, the network may not be there yet.
#   announce      Engines that start together do not join one gossip cluster.
#   free_place    A container that is gone, or that failed to start, keeps its endpoint on the network. The next one of that name
#                 is refused.
#   mend_ways     An engine enters itself as the tunnel's destination for its own containers. Their packets then leave the bridge.
#   try_ways      A container does not reach another one's address (reach.sh).
#   help_out      A container cannot resolve another one's name, or reaches another one in its place.
#
# It is a script because each part is a few calls of docker, ip and bridge, which every node has.
#
# Variables: NAMESPACES  the folder of the engine's network namespaces; default: /var/run/docker/netns
#            PID_FILE    the file that the engine writes when it starts; default: /var/run/docker.pid
#            LOOKED      the file that tells for which start of the engine start_ended has run; default: /run/swarm-scale-looked
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

# start_ended starts the containers that the engine ended at its own start, before anybody could call it. It runs once for each start of
# the engine, because later somebody may have stopped a container.
start_ended() {
	local started looked=${LOOKED:-/run/swarm-scale-looked} id name finished
	await_engine || return 1
	started=$(stat -c %Y "${PID_FILE:-/var/run/docker.pid}") || return 0
	if [ "$(cat "$looked" 2>/dev/null)" = "$started" ]; then return 0; fi
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited |
		xargs -r docker inspect --format '{{.Id}} {{.Name}} {{.State.FinishedAt}}' | while read -r id name finished; do
		if [ "$(date --date "$finished" +%s)" -ge "$started" ]; then
			echo "tend-containers: the engine ended ${name#/} when it started"
			docker start "$id" >/dev/null </dev/null || true # start_failed tries again
		fi
	done
	echo "$started" >"$looked"
}

# failed lists the containers that the engine failed to start: ID, name and error.
failed() {
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited --filter status=created |
		xargs -r docker inspect --format '{{if .State.Error}}{{.Id}} {{.Name}}: {{.State.Error}}{{end}}' | grep . || true
}

# start_failed starts the containers that the engine failed to start. The restart policy does not cover a container that never ran.
start_failed() {
	local mended=no containers data
	for _ in $(seq 300); do
		await_engine || return 1
		containers=$(failed)
		if [ -z "$containers" ]; then return 0; fi
		echo "tend-containers: the engine failed to start:"
		echo "$containers"
		if [ "$mended" = no ] && grep -q 'network sandbox' <<<"$containers"; then
			# After a power cut, the engine's own database may name an overlay network that the engine does not find. It can
			# then neither use the network nor drop it. Without the database, the engine writes a new one. That loses only
			# networks that somebody else made on this machine.
			mended=yes
			data=$(docker info --format '{{.DockerRootDir}}')
			stop_engine
			rm -f "${data:?}/network/files/local-kv.db"
			start_engine
		else
			# When all machines start together, Consul may come after this one. Without Consul there is no overlay network. So
			# try again.
			cut -d ' ' -f 1 <<<"$containers" | xargs docker start >/dev/null || true
			sleep 3
		fi
	done
	echo "tend-containers: giving up on containers that do not start" >&2
	return 1
}

# announce runs on Consul's node, and does nothing on others. Once all engines listen, it announces this engine again. Where each node has
# an agent of Consul, it waits until these have a leader.
#
# An engine that learns of others joins the first one that listens. Engines that start together find few or none, and form separate
# groups, between which the overlay network does not work. An engine that has joined nobody tries again when an engine is announced.
# Only one engine may be announced again: two that join each other are a group, and a group does not try again.
announce() {
	local known engines engine missing node
	known=$(docker info --format '{{.ClusterStore}} {{.ClusterAdvertise}}' 2>/dev/null) || return 1
	read -r consul own <<<"$known"
	consul=${consul#consul://}
	for _ in $(seq 60); do
		node=$(consul_node "$consul") || node=
		if [ -n "$node" ] && [ "$node" != "${own%:*}" ]; then return; fi
		engines=$(announced "$consul") || engines=
		missing=no
		for engine in $engines; do listens "$engine" || missing=yes; done
		if grep -qxF "$own" <<<"$engines" && [ "$missing" = no ]; then break; fi
		sleep 1
	done
	if announce_anew "$consul" "$own"; then
		echo "tend-containers: announced the engine again"
	fi
}

# free_place CONTAINER removes the endpoints on overlay networks of a container that is gone, or that failed to start, for instance
# because its port was taken. Otherwise the engine refuses the next container of that name. The engine on Consul's node does it,
# because it has the endpoint's name without having the container.
free_place() {
	local network places consul node
	consul=$(docker info --format '{{.ClusterStore}}')
	node=$(consul_node "${consul#consul://}") || return 1
	for network in $(docker network ls --filter driver=overlay --format '{{.Name}}'); do
		places=$(docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' "$network" 2>/dev/null) || continue
		if grep -qxF "$1" <<<"$places" && does_not_run "$1"; then
			docker --host "tcp://$node:$ENGINE_PORT" network disconnect --force "$network" "$1" &&
				echo "tend-containers: removed the endpoint of $1, which does not run, from $network"
		fi
	done
}

# does_not_run CONTAINER succeeds if the container is gone, or failed to start.
does_not_run() {
	local state
	state=$(docker inspect --type container --format '{{.State.Status}} {{with .State.Error}}failed{{end}}' "$1" 2>/dev/null) || return 0
	[ "$state" = "created failed" ]
}

# mend_ways OWN-ADDRESS removes the tunnel's forwarding entries that lead to this node.
#
# When a container looks for another one on the same node, the engine also asks the other engines. It answers its own question, and
# enters itself as the tunnel's destination for that container. The entry stays even when the address moves to another node.
# Without the entry, the engine asks again. The bridge must not learn from the tunnel's answers for the node's own containers. It
# would send their packets into the tunnel. A new container would receive nothing, and so never send what corrects the bridge.
mend_ways() {
	local namespace container
	for namespace in "${NAMESPACES:-/var/run/docker/netns}"/*-*; do
		if grep -q ' learning on ' <<<"$(nsenter --net="$namespace" bridge -d link show dev vxlan0 2>/dev/null)"; then
			nsenter --net="$namespace" ip link set dev vxlan0 type bridge_slave learning off fdb_flush
		fi
		for container in $(nsenter --net="$namespace" bridge fdb show dev vxlan0 2>/dev/null |
			awk -v own="$1" '$2 == "dst" && $3 == own { print $1 }'); do
			nsenter --net="$namespace" bridge fdb del "$container" dev vxlan0 dst "$1" self
		done
	done
}

# help_out CONTAINER CONSUL OWN-ADDRESS does something for a container that is unhealthy, and has been for half a minute. If it does not
# resolve a name, it is restarted: the engine has lost the names, and reads them from Consul when it starts a container. Otherwise its ways
# to other containers are set anew.
help_out() {
	local health
	sleep 30
	health=$(docker inspect --format '{{with .State.Health}}{{.Status}}: {{range .Log}}{{.Output}}{{end}}{{end}}' "$1" 2>/dev/null) || return 0
	case $health in
	unhealthy:*"no such host"*)
		echo "tend-containers: restarting $1, which does not resolve a name"
		docker restart "$1" >/dev/null
		;;
	unhealthy:*)
		mend_all "$@" || true
		echo "tend-containers: set the ways of $1 anew, which is unhealthy"
		;;
	esac
}

# made lists the containers that were created and not started. It runs every five seconds, and curl is cheaper than docker.
made() {
	curl -fsS --max-time 5 --unix-socket /var/run/docker.sock --get --data-urlencode 'filters={"label":["swarm-scale"],"status":["created"]}' \
		--data all=1 http://engine/containers/json | grep -o '"Names":\["/[^"]*' | sed 's|.*/||'
}

consul='' own='' # Consul's address and port, and this engine's announced ones; announce sets them
start_ended
start_failed
announce
: >"${STARTED:-/run/swarm-scale-started}" # whatever runs by now
while sleep "$(pause)" && kill -0 $$; do try_ways "$consul" "${own%:*}" || true; done &
trying=$!
trap 'kill $trying' EXIT
docker events --filter type=container --filter label=swarm-scale --filter event=start --filter event=destroy --filter event=health_status \
	--format '{{.Actor.Attributes.name}} {{.Action}}' | while :; do
	status=0
	read -r -t 5 container event || status=$?
	if [ "$status" -gt 128 ]; then # no event for five seconds: look for the faults that cause no event
		mend_ways "${own%:*}" || true
		for container in $(made); do
			if does_not_run "$container"; then free_place "$container" || true; fi
		done
		continue
	fi
	[ "$status" -eq 0 ] || break # the engine has stopped
	case $event in
	start) : >"${STARTED:-/run/swarm-scale-started}" ;;
	destroy) free_place "$container" || true ;;
	*": unhealthy") help_out "$container" "$consul" "${own%:*}" & ;;
	esac
done
