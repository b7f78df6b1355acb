#!/usr/bin/env bash
# Runs Consul, the cluster's key-value store, on the manager's own engine; its data is on a volume and outlives it.
# With "delete" as its argument it takes both away.
#
# Variables: CONSUL_IMAGE     the image
#            PRIVATE_ADDRESS  the address that the other nodes reach it at
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container consul
	own volume rm --force consul-data >/dev/null
	echo "consul: gone, with its data"
	exit 0
fi

# A single server talks to itself over the loopback. Its data names its address, and the container's own may change with the
# next start.
#
# It is on the host's own network. The engine under it asks Consul before it starts any container. Behind a published port
# nothing refuses the question while Consul is down, so it times out, and Consul takes a minute to be back.
own volume create --label swarm-scale consul-data >/dev/null
# 1 is the multiplier for production. With the default, a lone server takes 5 s to elect itself.
keep_container consul "$CONSUL_IMAGE" --hostname consul --network host \
	--volume consul-data:/consul/data "$CONSUL_IMAGE" \
	agent -server -bootstrap -bind 127.0.0.1 -client "$PRIVATE_ADDRESS" -data-dir /consul/data \
	-hcl 'disable_update_check = true' -hcl 'performance { raft_multiplier = 1 }'
# The answer is the leader's address in quotes; the quotes are empty while there is none.
await consul "http://$PRIVATE_ADDRESS:$CONSUL_PORT/v1/status/leader" '"..*"'
echo "consul: $CONSUL_IMAGE serves at $PRIVATE_ADDRESS:$CONSUL_PORT"
# Engines cache what Consul says, so they have to know when it began with nothing: then there is no generation, and this sets one.
generation="http://$PRIVATE_ADDRESS:$CONSUL_PORT/v1/kv/swarm-scale/generation"
curl -fsS --max-time 5 -X PUT --data "$(cat /proc/sys/kernel/random/uuid)" "$generation?cas=0" >/dev/null
echo "generation: $(curl -fsS --max-time 5 "$generation?raw")"
