#!/usr/bin/env bash
# Helps to delete a container that is gone already, because a deployment was interrupted while it deleted it. The docker provider
# fails then. So the script makes a container, never started, whose name is the ID of the one that is gone. The engine finds it by
# that name, and the provider deletes it. The script prints "retry" if it did so.
#
# Variables: ENDPOINT   the DOCKER_HOST of the engine or Swarm manager
#            ID         the container's ID
#            IMAGE      its image
#            PLACEMENT  the variable by which the Swarm manager placed it on its node; empty: it is an engine's own
#            LABEL      the label of the stack's containers
set -euo pipefail
export DOCKER_HOST=$ENDPOINT

if answer=$(docker container inspect "$ID" 2>&1); then exit 0; fi
case ${answer,,} in
*"no such"* | *"not found"*) ;;
*) exit 0 ;;
esac
docker create --name "$ID" --label "$LABEL" ${PLACEMENT:+--env "$PLACEMENT"} "$IMAGE" gone >/dev/null
echo retry
