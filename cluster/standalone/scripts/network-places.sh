#!/usr/bin/env bash
# Removes the overlay network's endpoints of containers that were on lost machines. Runs after gossip.sh.
#
# An engine refuses a container if the network has an endpoint of that name. Consul keeps the endpoints of a lost machine. Any
# engine with the same Consul can remove them, so the manager's own does. It keeps the endpoints of all containers on announced
# engines, also on machines that are about to leave the stack. If an engine does not answer, or Consul does not list the engines,
# all endpoints stay.
#
# Variables: CONSUL   Consul's address and port
#            NETWORK  the overlay network's name

export DOCKER_HOST=unix:///var/run/docker.sock

places=$(docker network inspect "$NETWORK" --format '{{range .Containers}}{{println .Name}}{{end}}' 2>/dev/null | sort -u) || places=
if [ -n "$places" ]; then
	if ! listed=$(announced "$CONSUL"); then
		echo "network-places: Consul at $CONSUL does not list the engines, so $NETWORK keeps its endpoints"
		exit 0
	fi
	containers=
	for engine in $listed; do
		if ! names=$(timeout 10 docker -H "tcp://$engine" ps --all --format '{{.Names}}'); then
			echo "network-places: the engine at ${engine%:*} does not list its containers, so $NETWORK keeps its endpoints"
			exit 0
		fi
		containers+=$names$'\n'
	done
	containers=$(tr ',' '\n' <<<"$containers" | sed 's|.*/||')
	while read -r place; do
		if [ -n "$place" ] && ! grep -qxF "$place" <<<"$containers"; then
			docker network disconnect --force "$NETWORK" "$place"
			echo "network-places: removed the endpoint of $place from $NETWORK: no machine has that container"
		fi
	done <<<"$places"
fi
