#!/usr/bin/env bash
# Runs the agent that joins a node to the Swarm. With "delete" as its argument it takes the agent away.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager reaches the node's engine
#            DISCOVERY        where nodes announce themselves, as Swarm writes it
#            CONSUL           Consul's address and port
#            GENERATION       of Consul's data: another one each time Consul begins with nothing
#            NOTES            where the node keeps what it has to remember
#            NODE_NAME        the node's name
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container swarm-agent
	echo "swarm-join: $NODE_NAME left"
	exit 0
fi

follow_consul "$GENERATION" "$NOTES"
# The manager looks at a node when its agent announces it. If the engine is not there yet, the manager looks again only half a
# minute later. So the agent waits until the engine has found Consul, for 20 s at most.
for _ in $(seq 40); do
	if is_announced "$CONSUL" "$PRIVATE_ADDRESS:$ENGINE_PORT"; then break; fi
	sleep 0.5
done
# Another machine may have had the address. The manager goes on counting that one's containers, and gives their names to nobody
# else, until the address has been off the list. The agent puts it there again.
if ! own inspect swarm-agent >/dev/null 2>&1; then
	curl -fsS --max-time 5 -X DELETE "http://$CONSUL/v1/kv/docker/swarm/nodes/$PRIVATE_ADDRESS:$ENGINE_PORT" >/dev/null || true
fi
# The agent announces its node every 3 s, and tries again for ever, so it may start before Consul does. A node that is silent
# for 30 s is taken off the list.
keep_container swarm-agent "$SWARM_IMAGE" "$SWARM_IMAGE" \
	join --heartbeat 3s --ttl 30s --advertise "$PRIVATE_ADDRESS:$ENGINE_PORT" "$DISCOVERY"
echo "swarm-join: $NODE_NAME announces $PRIVATE_ADDRESS:$ENGINE_PORT"
