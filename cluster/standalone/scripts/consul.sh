#!/usr/bin/env bash
# Runs Consul, the cluster's key-value store, on the manager's own engine. Its data is on a volume. With the argument "delete" the
# script removes both.
#
# Variables: CONSUL_IMAGE     the image
#            PRIVATE_ADDRESS  the address at which the other nodes reach it
set -euo pipefail

if [ "$1" = delete ]; then
	drop_container consul
	own volume rm --force consul-data >/dev/null
	echo "consul: removed, with its data"
	exit 0
fi

# The server binds to the loopback, because its data names the address. The container's own address may change with a restart.
#
# It uses the host's network. The engine calls Consul before it starts any container. While Consul is down, the host refuses the
# call at once. Behind a published port the call would time out, and Consul would need a minute to return.
own volume create --label swarm-scale consul-data >/dev/null
# Nobody asks Consul by DNS or gRPC, so it does not listen there.
# 1 is the multiplier for production. With the default, a single server needs 5 s to elect itself.
# Its image starts as root, gives its data to the user of Consul, and goes on as that user. The process that started it passes signals
# on to it, also the one to stop.
keep_container consul "$CONSUL_IMAGE" 384m --hostname consul --network host \
	--cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add KILL --cap-add SETGID --cap-add SETUID \
	--volume consul-data:/consul/data "$CONSUL_IMAGE" \
	agent -server -bootstrap -bind 127.0.0.1 -client "$PRIVATE_ADDRESS" -data-dir /consul/data \
	-hcl 'disable_update_check = true' -hcl 'performance { raft_multiplier = 1 }' \
	-hcl 'ports { dns = -1 }' -hcl 'ports { grpc_tls = -1 }'
# The answer is the leader's address in quotes. Without a leader the quotes are empty.
await consul "http://$PRIVATE_ADDRESS:$CONSUL_PORT/v1/status/leader" '"..*"'
echo "consul: $CONSUL_IMAGE serves at $PRIVATE_ADDRESS:$CONSUL_PORT"
# Engines cache what Consul says, so they have to know when Consul has started without data. Then there is no generation, and the
# next line sets one.
generation="http://$PRIVATE_ADDRESS:$CONSUL_PORT/v1/kv/swarm-scale/generation"
curl -fsS --max-time 5 -X PUT --data "$(cat /proc/sys/kernel/random/uuid)" "$generation?cas=0" >/dev/null
echo "generation: $(curl -fsS --max-time 5 "$generation?raw")"
