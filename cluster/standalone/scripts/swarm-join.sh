#!/usr/bin/env bash
# Runs the agent that announces a node to the Swarm manager. With the argument "delete" the script removes the agent.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager reaches the node's engine
#            DISCOVERY        Swarm's discovery URL
#            CONSUL           Consul's address and port
#            GENERATION       of Consul's data; another one after each start without data
#            NOTES            the node's file of state between runs
#            NODE_NAME        the node's name
#            MEMORY           how much it may use: 48m
#            NETWORK          options of docker run about its network
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container swarm-agent
	echo "swarm-join: $NODE_NAME left"
	exit 0
fi

follow_consul "$GENERATION" "$NOTES"
# The manager tries a node when the agent announces it. If the engine does not answer, the manager tries again half a minute later.
# So the agent waits until the engine is announced, for at most 20 s.
for _ in $(seq 40); do
	if is_announced "$CONSUL" "$PRIVATE_ADDRESS:$ENGINE_PORT"; then break; fi
	sleep 0.5
done
# The manager may remember another machine with this address. It then lists that machine's containers and refuses containers of the
# same names, until the address has been off Consul's list. The agent announces the address again.
if ! own inspect swarm-agent >/dev/null 2>&1; then
	curl -fsS --max-time 5 -X DELETE "http://$CONSUL/v1/kv/docker/swarm/nodes/$PRIVATE_ADDRESS:$ENGINE_PORT" >/dev/null || true
fi
# The agent announces its node every 3 s. It retries for ever, so it may start before Consul. A node that is silent for 30 s leaves
# the list.
# shellcheck disable=SC2086  # several words, or none
keep_container swarm-agent "$SWARM_IMAGE" "$MEMORY" $NETWORK "$SWARM_IMAGE" \
	join --heartbeat 3s --ttl 30s --advertise "$PRIVATE_ADDRESS:$ENGINE_PORT" "$DISCOVERY"
echo "swarm-join: $NODE_NAME announces $PRIVATE_ADDRESS:$ENGINE_PORT"
