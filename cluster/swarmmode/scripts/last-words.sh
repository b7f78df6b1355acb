#!/usr/bin/env bash
# Prints what the container said that ended last or could not be started, or else the one that runs, of a service that does not work.
#
# Variables: WORKLOAD  the workload
# Functions: on_node, container, last_words
set -euo pipefail

ended=$(on_node ps --all --quiet --filter "label=com.docker.swarm.service.name=$WORKLOAD" --filter status=exited --filter status=created)
id=${ended%%$'\n'*}
if [ -z "$id" ]; then id=$(container "$WORKLOAD"); fi
if [ -z "$id" ]; then
	echo "  it has no container on this node"
	exit 0
fi
last_words "$id"
