#!/usr/bin/env bash
# Prints what the container said that ended last or could not be started, or else the one that runs, of a service that does not work. The latest
# one may have nothing to say yet: its engine is about to start it.
#
# Variables: WORKLOAD  the workload
# Functions: on_node, container, last_words
set -euo pipefail

ended=$(on_node ps --all --quiet --filter "label=com.docker.swarm.service.name=$WORKLOAD" --filter status=exited --filter status=created)
for id in $ended; do
	words=$(last_words "$id")
	if [ -n "$words" ]; then
		printf '%s\n' "$words"
		exit 0
	fi
done
id=$(container "$WORKLOAD")
if [ -z "$id" ]; then
	echo "  it has no container on this node"
	exit 0
fi
last_words "$id"
