#!/usr/bin/env bash
# Runs the agent that joins a node to the Swarm. With "delete" as its argument it takes the agent away.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager reaches the node's engine
#            DISCOVERY        where nodes announce themselves, as Swarm writes it
#            NODE_NAME        the node's name
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container swarm-agent
	echo "swarm-join: $NODE_NAME left"
	exit 0
fi

# The agent announces its node every 3 s; a node that is silent for 30 s is taken off the list. It retries as
# often and for ever, so it may start before the store does.
keep_container swarm-agent "$SWARM_IMAGE" "$SWARM_IMAGE" \
	join --heartbeat 3s --ttl 30s --advertise "$PRIVATE_ADDRESS:2375" "$DISCOVERY"
echo "swarm-join: $NODE_NAME announces $PRIVATE_ADDRESS:2375"
