#!/usr/bin/env bash
# Runs the agent that joins a node to the Swarm. With "delete" as its argument it takes the agent away.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager reaches the node's engine
#            DISCOVERY        where nodes announce themselves, as Swarm writes it
#            STORE            the address and port of the key-value store
#            GENERATION       which store that is: another one each time it begins with nothing
#            NOTES            where the node keeps what it has to remember
#            NODE_NAME        the node's name
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container swarm-agent
	echo "swarm-join: $NODE_NAME left"
	exit 0
fi

follow_store "$GENERATION" "$NOTES"
# The manager looks at a node the moment its agent announces it, and if the engine is not quite there looks again half a
# minute later only. So the agent waits until the engine has found the store, though not for ever: it is not needed.
for _ in $(seq 40); do
	if is_announced "$STORE" "$PRIVATE_ADDRESS:2375"; then break; fi
	sleep 0.5
done
# Another machine may have had the address: the manager would go on counting that one's containers, and give their names to
# nobody else, until the address has once been off the list. The agent puts it there again.
if ! own inspect swarm-agent >/dev/null 2>&1; then
	curl -fsS --max-time 5 -X DELETE "http://$STORE/v1/kv/docker/swarm/nodes/$PRIVATE_ADDRESS:2375" >/dev/null || true
fi
# The agent announces its node every 3 s; a node that is silent for 30 s is taken off the list. It retries as
# often and for ever, so it may start before the store does.
keep_container swarm-agent "$SWARM_IMAGE" "$SWARM_IMAGE" \
	join --heartbeat 3s --ttl 30s --advertise "$PRIVATE_ADDRESS:2375" "$DISCOVERY"
echo "swarm-join: $NODE_NAME announces $PRIVATE_ADDRESS:2375"
