#!/usr/bin/env bash
# Prints a line "missing NAME" for each workload whose container is not on the node's engine.
#
# Variables: WORKLOADS  the workloads, one a line: name and ID of the container
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

there=$(docker ps --all --quiet --no-trunc)
while read -r name id; do
	grep -qxF "$id" <<<"$there" || echo "missing $name"
done <<<"$WORKLOADS"
