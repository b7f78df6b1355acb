#!/usr/bin/env bash
# Functions that find out which containers do not reach each other on overlay networks, and mend that. Other scripts begin with them.
#
# Engine 20.10 keeps a forwarding entry for every container on another node: its hardware address leads to that node. When several
# containers are replaced side by side, their addresses may change nodes. An engine may then keep an entry that leads to the former
# node, and says nothing. So each container's ways are tried. A way is mended if it fails several times in a row, although the other
# container runs. The engine is restarted if that does not help.
#
# Variables: NAMESPACES  the folder of the engine's network namespaces; default: /var/run/docker/netns
#            REJOINED    the file that tells when the engine was restarted last; default: /run/swarm-scale-rejoined
#            STARTED     a file that is there when a container has started; default: /run/swarm-scale-started

declare -A lost=() # by "container address": how many times in a row the address did not answer
containers=()      # the stack's containers on this node, each with name, process and networks

# list_containers sets containers if one has started since the last time. It runs all the time, and docker is no small program.
list_containers() {
	local started=${STARTED:-/run/swarm-scale-started} ids
	if [ ! -e "$started" ]; then return; fi
	rm -f "$started"
	mapfile -t ids < <(docker ps --quiet --filter label=swarm-scale)
	containers=()
	if [ "${#ids[@]}" -gt 0 ]; then
		mapfile -t containers < <(docker inspect --format \
			'{{.Name}} {{.State.Pid}}{{range .NetworkSettings.Networks}} {{.NetworkID}}{{end}}' "${ids[@]}")
	fi
}

# partners PID lists the addresses to which a process's network namespace has sent something lately.
partners() { nsenter --net="/proc/$1/ns/net" ip -4 neighbor show | cut -d ' ' -f 1; }

# silent PID ADDRESS… lists the addresses that do not answer a connection within two seconds. A refused connection is an answer.
# shellcheck disable=SC2016  # the inner shells expand it
silent() {
	local pid=$1
	shift
	nsenter --net="/proc/$pid/ns/net" bash -c 'for address; do
		{
			said=$(timeout 2 bash -c "exec 3<>/dev/tcp/$address/1" 2>&1) || case $said in
			*refused*) ;;
			*) echo "$address" ;;
			esac
		} &
	done
	wait' silent "$@"
}

# members NETWORK lists the address and the name of every container on the network, on whatever node.
members() {
	docker network inspect --format '{{range .Containers}}{{.IPv4Address}} {{println .Name}}{{end}}' "$1" 2>/dev/null | sed 's|/[0-9]*||'
}

# owner NAME ADDRESS CONSUL prints the node's address and the hardware address of the running container that has this name and
# address. It asks the announced engines. It fails if no container has both.
owner() {
	local engine found
	for engine in $(announced "$3"); do
		found=$(timeout 5 docker --host "tcp://$engine" inspect --type container --format \
			'{{if .State.Running}}{{range .NetworkSettings.Networks}}{{println .IPAddress .MacAddress}}{{end}}{{end}}' "$1" 2>/dev/null) || continue
		found=$(awk -v address="$2" '$1 == address { print $2 }' <<<"$found")
		if [ -n "$found" ]; then
			echo "${engine%:*} $found"
			return
		fi
	done
	return 1
}

# lead NETWORK-ID ADDRESS NODE HARDWARE-ADDRESS OWN-ADDRESS has the tunnel lead to a container on its node, and to no other node.
lead() {
	local namespace former
	for namespace in "${NAMESPACES:-/var/run/docker/netns}"/*-"${1:0:10}"; do
		for former in $(nsenter --net="$namespace" bridge fdb show dev vxlan0 | awk -v mac="$4" '$1 == mac && $2 == "dst" { print $3 }'); do
			if [ "$former" != "$3" ] || [ "$3" = "$5" ]; then
				nsenter --net="$namespace" bridge fdb del "$4" dev vxlan0 dst "$former" self
			fi
		done
		if [ "$3" = "$5" ]; then continue; fi # a container of this node is on the bridge itself
		nsenter --net="$namespace" bridge fdb replace "$4" dev vxlan0 dst "$3" self permanent
		nsenter --net="$namespace" ip neighbor replace "$2" lladdr "$4" dev vxlan0 nud permanent
	done
}

# mend_all CONTAINER CONSUL OWN-ADDRESS has the ways to all that a container has called lead to their nodes. A way that leads elsewhere may
# be refused there, which try_ways takes for an answer.
mend_all() {
	local pid networks network partners address peer node
	read -r pid networks < <(docker inspect --format '{{.State.Pid}}{{range .NetworkSettings.Networks}} {{.NetworkID}}{{end}}' "$1" 2>/dev/null) || return 0
	partners=$(partners "$pid" 2>/dev/null) || return 0
	for network in $networks; do
		while read -r address peer; do
			if [ -z "$address" ] || ! grep -qxF "$address" <<<"$partners"; then continue; fi
			node=$(owner "$peer" "$address" "$2" </dev/null) || continue
			# shellcheck disable=SC2086  # two words
			lead "$network" "$address" $node "$3" </dev/null
		done < <(members "$network")
	done
}

# try_ways CONSUL OWN-ADDRESS tries the ways of all of the stack's containers on this node, once.
try_ways() {
	local container name pid networks network address answer partners peer way
	local -A still=()
	list_containers
	for container in "${containers[@]}"; do
		read -r name pid networks <<<"$container"
		mapfile -t partners < <(partners "$pid" 2>/dev/null) # none of a process that has ended
		if [ "${#partners[@]}" -eq 0 ]; then continue; fi
		answer=$(silent "$pid" "${partners[@]}")
		if [ -z "$answer" ]; then continue; fi
		for network in $networks; do
			# An address that nobody has any more is no fault.
			while read -r address peer; do
				if ! grep -qxF "$address" <<<"$answer"; then continue; fi
				way="${name#/} $address"
				still[$way]=$((${lost[$way]:-0} + 1))
				mend "${name#/}" "$peer" "$address" "$network" "${still[$way]}" "$1" "$2" </dev/null
			done < <(members "$network")
		done
	done
	lost=()
	for way in "${!still[@]}"; do lost[$way]=${still[$way]}; done
}

# pause prints the seconds until the next try. A try takes a few dozen processes, so it comes often only while a way is lost.
pause() { if [ "${#lost[@]}" -gt 0 ]; then echo 5; else echo 15; fi; }

# mend CONTAINER PEER ADDRESS NETWORK-ID TIMES CONSUL OWN-ADDRESS mends a way that failed so many times in a row.
mend() {
	local node
	if [ "$5" -lt 3 ]; then return; fi
	node=$(owner "$2" "$3" "$6") || return 0 # it does not run, or has another address by now
	if [ "$5" -lt 6 ]; then
		# shellcheck disable=SC2086  # two words
		lead "$4" "$3" $node "$7"
		echo "tend-containers: $1 does not reach $2 ($3), which runs at ${node% *}: mended the way to it"
	else
		rejoin "which does not carry what $1 sends to $2 ($3) at ${node% *}"
	fi
}

# rejoin WHY restarts the engine, which then joins all others and reads the network anew. It does so at most every ten minutes,
# because the reason may be another node.
rejoin() {
	local noted=${REJOINED:-/run/swarm-scale-rejoined}
	if [ -n "$(find "$noted" -mmin -10 2>/dev/null)" ]; then return; fi
	touch "$noted"
	echo "tend-containers: restarting the engine, $1"
	# This service stops with the engine, and this line with it. So both happen in the background.
	if [ -d /run/systemd/system ]; then systemctl --no-block restart docker; else restart_engine & fi
}
