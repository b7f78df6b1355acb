#!/usr/bin/env bash
# Helps to delete a container or service that is gone already, because a deployment was interrupted while it deleted it. The docker
# provider fails then. So the script makes a stand-in, never started, whose name is the ID of what is gone. The engine finds it by
# that name, and the provider deletes it. The script prints "retry" if it did so.
#
# The provider also asks for the tasks of a service by its name, which needs a second stand-in. What is made next under that name
# makes way for itself (leftovers.sh).
#
# Variables: ENDPOINT   the DOCKER_HOST of the engine, Swarm manager or swarm's manager
#            KIND       container or service
#            ID         its ID
#            NAME       its name
#            IMAGE      the container's image
#            PLACEMENT  the variable by which the Swarm manager placed it on its node; empty: it is an engine's own, or a service
#            LABEL      the label of the stack's containers
set -euo pipefail
export DOCKER_HOST=$ENDPOINT

# there succeeds if there is such a one, and ends the script if docker does not say.
there() {
	local answer
	if answer=$(docker "$KIND" inspect "$1" 2>&1); then return; fi
	case ${answer,,} in
	*"no such"* | *"not found"*) return 1 ;;
	*) exit 0 ;;
	esac
}

if there "$ID"; then exit 0; fi
case $KIND in
container)
	docker create --name "$ID" --label "$LABEL" ${PLACEMENT:+--env "$PLACEMENT"} "$IMAGE" gone >/dev/null
	;;
service)
	for stand_in in "$ID" "$NAME"; do
		there "$stand_in" || docker service create --detach --no-resolve-image --replicas 0 --label "$LABEL" --name "$stand_in" gone >/dev/null
	done
	;;
esac
echo retry
