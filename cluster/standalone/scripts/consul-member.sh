#!/usr/bin/env bash
# Runs Consul on a node of a cluster with several managers, on the node's own engine: a server on a manager, an agent elsewhere. The engine
# and Swarm ask it at the loopback. With the argument "delete" the script removes it, with its data.
#
# Variables: CONSUL_IMAGE     the image
#            NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the address at which the other nodes reach it
#            SERVERS          the private addresses of all managers, separated by spaces
#            SERVER           yes on a manager
#            MEMORY           how much it may use: 128m
# Functions: use_store, those of container.sh and restart.sh
set -euo pipefail

url=http://127.0.0.1:$CONSUL_PORT/v1

if [ "$1" = delete ]; then
	is_theirs consul || own exec consul consul leave >/dev/null 2>&1 || true # so that nobody waits for it
	drop_container consul
	own volume rm --force consul-data >/dev/null
	echo "consul: $NODE_NAME left"
	exit 0
fi

# A restart is no departure. It joins the servers again and again, at first every two seconds, because they may come later.
arguments=(-node "$NODE_NAME" -bind "$PRIVATE_ADDRESS" -client 127.0.0.1 -data-dir /consul/data
	-hcl 'disable_update_check = true' -hcl 'performance { raft_multiplier = 1 }' -hcl 'leave_on_terminate = false' -hcl 'retry_interval = "2s"'
	-hcl 'ports { dns = -1 }' -hcl 'ports { grpc_tls = -1 }' -hcl 'ports { serf_wan = -1 }')
count=0
for address in $SERVERS; do
	arguments+=(-retry-join "$address")
	count=$((count + 1))
done
# A server without data begins a new Consul only together with the others, and if none of them has data. Otherwise it gets theirs. One
# that was the only one goes on with its own.
if [ "$SERVER" = yes ]; then arguments=(-server -bootstrap-expect "$count" "${arguments[@]}"); fi

# consul.sh says why it uses the host's network, and why it has these capabilities.
own volume create --label swarm-scale consul-data >/dev/null
keep_container consul "$CONSUL_IMAGE" "$MEMORY" --network host \
	--cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add KILL --cap-add SETGID --cap-add SETUID \
	--volume consul-data:/consul/data "$CONSUL_IMAGE" agent "${arguments[@]}"

# await_leader waits until Consul here knows a leader. Its address is in quotes, which are empty without one.
await_leader() {
	await consul "$url/status/leader" '"..*"' || {
		echo "consul: most of Consul's servers ($SERVERS) are away, or do not reach each other. docs/operations.md says what to do if they are lost for good" >&2
		exit 1
	}
}

# votes succeeds if this server counts for the majority. Another one of its address may be listed, which was lost.
votes() {
	local id listed
	id=$(curl -fsS --max-time 5 "$url/agent/self" 2>/dev/null | tr -d '[:space:]' | tr ',{' '\n' | sed -n 's/^"NodeID":"\(.*\)"$/\1/p') || return 1
	listed=$(curl -fsS --max-time 5 "$url/operator/raft/configuration" 2>/dev/null) || return 1
	tr -d '[:space:]' <<<"$listed" | tr '{' '\n' | awk -v id="\"ID\":\"${id%%$'\n'*}\"" 'index($0, id) && /"Voter":true/ { found = 1 } END { exit !found }'
}

await_leader
if [ "$SERVER" = yes ]; then
	end=$((SECONDS + 120)) # the others watch a new one for ten seconds before they let it vote
	until votes; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "consul: the server of $NODE_NAME has no vote after 120 s: look at \"docker logs consul\" there" >&2
			exit 1
		fi
		sleep 1
	done
fi
use_store "consul://127.0.0.1:$CONSUL_PORT"
await_leader
echo "consul: $CONSUL_IMAGE on $NODE_NAME, server: $SERVER"
