#!/usr/bin/env bash
# Starts those of a swarm's services that somebody has stopped. Prints a line "missing NAME" for each workload whose service the swarm does
# not have.
#
# Variables: WORKLOADS  the workloads, one a line: name and ID of the service
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

services=$(docker service ls --quiet | xargs -r docker service inspect --format '{{.ID}} {{with .Spec.Mode.Replicated}}{{.Replicas}}{{end}}')
while read -r name id; do
	case $(awk -v wanted="$id" '$1 == wanted { print $2 }' <<<"$services") in
	"") echo "missing $name" ;;
	0) docker service scale --detach "$id=1" >/dev/null </dev/null ;;
	esac
done <<<"$WORKLOADS"
