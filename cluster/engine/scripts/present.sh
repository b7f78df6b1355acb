#!/usr/bin/env bash
# Starts those of a node's containers that somebody has stopped, as a deployment does that is killed before it deletes one. Prints a line
# "missing NAME" for each workload whose container the engine does not have.
#
# Variables: WORKLOADS  the workloads, one a line: name and ID of the container
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

containers=$(docker ps --all --no-trunc --format '{{.ID}} {{.State}}')
while read -r name id; do
	case $(awk -v wanted="$id" '$1 == wanted { print $2 }' <<<"$containers") in
	"") echo "missing $name" ;;
	exited | created) docker start "$id" >/dev/null </dev/null ;;
	esac
done <<<"$WORKLOADS"
