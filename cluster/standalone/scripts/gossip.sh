#!/usr/bin/env bash
# Joins all engines in one gossip cluster. Only engines that gossip exchange packets of the overlay network. Runs after
# swarm-members.sh.
#
# An engine joins when it learns of another engine that listens. Engines that start together stay alone, or in separate groups. In
# each group at least one engine has joined nobody. It tries again when an engine is announced. So, once all engines listen, the
# first one is announced again.
#
# Variables: CONSUL   Consul's address and port
#            ENGINES  every engine's address and port, separated by spaces
#            WAIT     how many seconds to wait at most

end=$((SECONDS + WAIT))

# wait_for ENGINE COMPLAINT COMMAND… waits for the command to succeed.
wait_for() {
	local engine=$1 complaint=$2
	shift 2
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "gossip: after $WAIT s the engine at ${engine%:*} $complaint" >&2
			exit 1
		fi
		sleep 0.5
	done
}

for engine in $ENGINES; do
	wait_for "$engine" "is not announced in Consul at $CONSUL: look at the engine's log" is_announced "$CONSUL" "$engine"
	wait_for "$engine" "does not listen on the gossip port $GOSSIP_PORT: look at the engine's log" listens "$engine"
done
first=${ENGINES%% *}
announce_anew "$CONSUL" "$first"
wait_for "$first" "does not announce itself again in Consul at $CONSUL" is_announced "$CONSUL" "$first"
echo "gossip: all engines have joined"
