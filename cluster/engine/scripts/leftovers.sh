#!/usr/bin/env bash
# Makes way for a container, service or network that is about to be made. An interrupted deployment may have made it already, without a
# record in the state. Volumes stay.
#
# A container or service of that name that is not the stack's also stays, and so does a network that something uses. The script then fails.
#
# Variables: ENDPOINT   the DOCKER_HOST of the engine or Swarm manager
#            KIND       container, service or network
#            NAME       its name
#            LABEL      the label of the stack's containers
#            GRACE      how many seconds a container may take to stop
#            NODE_NAME  the node that is asked
set -euo pipefail
export DOCKER_HOST=$ENDPOINT

# look FORMAT prints something about it. If it does not exist, the script ends here.
look() {
	local answer
	if answer=$(docker "$KIND" inspect --format "$1" "$NAME" 2>&1); then
		echo "$answer"
		return
	fi
	case ${answer,,} in
	*"no such"* | *"not found"*) exit 3 ;;
	esac
	echo "leftovers: docker on $NODE_NAME does not say whether there is a $KIND $NAME: $answer" >&2
	exit 1
}

# free_place removes the endpoints that overlay networks have under the container's name. A container that could not be started leaves one
# behind, in Consul, and the engine then refuses every container of that name. Only an engine itself lists them, and removes them.
free_place() {
	local network places
	for network in $(DOCKER_HOST=unix:///var/run/docker.sock docker network ls --filter driver=overlay --format '{{.Name}}' 2>/dev/null); do
		places=$(DOCKER_HOST=unix:///var/run/docker.sock docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' "$network" 2>/dev/null) || continue
		if grep -qxF "$NAME" <<<"$places"; then
			DOCKER_HOST=unix:///var/run/docker.sock docker network disconnect --force "$network" "$NAME" || continue # the engine that is asked next says why
			echo "leftovers: removed the endpoint of $NAME from $network"
		fi
	done
}

case $KIND in
network) format='{{.Driver}} {{len .Containers}}' ;;
service) format='{{json .Spec.Labels}}' ;;
*) format='{{json .Config.Labels}}' ;;
esac
found=$(look "$format") || {
	status=$?
	if [ "$status" -eq 3 ]; then
		if [ "$KIND" = container ]; then free_place; fi
		exit 0
	fi
	exit "$status"
}
again='and run "pulumi up" again'
case $KIND,$found in
container,*"\"$LABEL\":"*)
	docker stop --time "$GRACE" "$NAME" >/dev/null
	docker rm --force "$NAME" >/dev/null
	free_place
	;;
service,*"\"$LABEL\":"*)
	docker service rm "$NAME" >/dev/null
	;;
service,*)
	echo "leftovers: the swarm has a service named $NAME that is not this stack's. The stack needs the name: remove the service with" \
		"\"docker service rm $NAME\" on $NODE_NAME, $again" >&2
	exit 1
	;;
container,*)
	node=$(docker inspect --format '{{.Node.Name}}' "$NAME" 2>/dev/null) || node=$NODE_NAME
	echo "leftovers: $node has a container named $NAME that is not this stack's. The stack needs the name:" \
		"give the container another one with \"docker rename $NAME NEW-NAME\" on $node, or remove it, $again" >&2
	exit 1
	;;
"network,overlay 0")
	docker network rm "$NAME" >/dev/null
	;;
*)
	echo "leftovers: there is a network named $NAME that is not this stack's, or that containers use (driver and number of containers: $found)." \
		"The stack needs the name: remove the network with \"docker network rm $NAME\" on $NODE_NAME, $again" >&2
	exit 1
	;;
esac
echo "leftovers: removed the $KIND $NAME of an interrupted deployment"
