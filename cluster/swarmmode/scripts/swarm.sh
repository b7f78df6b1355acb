#!/usr/bin/env bash
# Makes a swarm, unless the node is in the stack's own already. Prints the swarm's ID.
#
# Variables: ADDRESS          the address at which the other nodes reach this one
#            POOL             the range that the swarm takes its own networks from
#            NOTES            the node's file of state between runs
#            MANAGEMENT_PORT  the managers' port
#            VXLAN_PORT       the port of the networks' packets
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

fail() {
	echo "swarm: $*" >&2
	exit 1
}

ours=$NOTES-swarm # has the swarm's ID
state=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')
if [ "$state" != "inactive false" ] && [ ! -e "$ours" ]; then
	fail "$(hostname) is in a swarm that is not this stack's: take it out of it (docker swarm leave), or take another machine"
fi
case $state in
"active true") ;;
"inactive false")
	docker swarm init --advertise-addr "$ADDRESS" --listen-addr "$ADDRESS:$MANAGEMENT_PORT" --data-path-addr "$ADDRESS" --data-path-port "$VXLAN_PORT" \
		--default-addr-pool "$POOL" --default-addr-pool-mask-length 24 >/dev/null
	;;
*) fail "the swarm of $(hostname) does not work ($state): look at \"docker info\" there" ;;
esac
id=$(docker info --format '{{.Swarm.Cluster.ID}}')
echo "$id" >"$ours"
echo "swarm: $id"
