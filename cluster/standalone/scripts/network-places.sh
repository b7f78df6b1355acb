#!/usr/bin/env bash
# Frees the places that the overlay network keeps for containers of lost machines. Runs behind gossip.sh.
#
# An engine refuses a container whose name has a place on the network, and Consul keeps the places of a machine that was lost.
# The manager's own engine shares Consul, so it can free them. Every announced engine is asked for its containers, also those of
# machines that are about to leave the stack. If one does not answer, or Consul does not list them, all places stay.
#
# Variables: CONSUL   Consul's address and port
#            NETWORK  the overlay network's name

export DOCKER_HOST=unix:///var/run/docker.sock

places=$(docker network inspect "$NETWORK" --format '{{range .Containers}}{{println .Name}}{{end}}' 2>/dev/null | sort -u) || places=
if [ -n "$places" ]; then
	if ! listed=$(announced "$CONSUL"); then
		echo "network-places: Consul at $CONSUL does not list the engines, so $NETWORK keeps its places"
		exit 0
	fi
	containers=
	for engine in $listed; do
		if ! names=$(timeout 10 docker -H "tcp://$engine" ps --all --format '{{.Names}}'); then
			echo "network-places: the engine at ${engine%:*} does not tell its containers, so $NETWORK keeps its places"
			exit 0
		fi
		containers+=$names$'\n'
	done
	containers=$(tr ',' '\n' <<<"$containers" | sed 's|.*/||')
	while read -r place; do
		if [ -n "$place" ] && ! grep -qxF "$place" <<<"$containers"; then
			docker network disconnect --force "$NETWORK" "$place"
			echo "network-places: $NETWORK has forgotten $place, which is on no machine any more"
		fi
	done <<<"$places"
fi
