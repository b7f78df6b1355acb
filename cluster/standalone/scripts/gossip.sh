#!/usr/bin/env bash
# Brings all engines into one gossip, without which the overlay network does not carry between them. Runs behind
# swarm-members.sh.
#
# An engine joins the gossip when it learns of another one that listens. Engines that start together stay alone, or in groups
# that keep apart. Those that have found nobody yet, at least one in each group, try again when an engine is announced. So, once
# all of them listen, the first one is taken off Consul's list, and announces itself again within its heartbeat.
#
# Variables: CONSUL   Consul's address and port
#            ENGINES  address and port of every engine, with spaces between; the others join the first one
#            WAIT     how many seconds at most

end=$((SECONDS + WAIT))

wait_for() { # ENGINE COMPLAINT COMMAND…
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
	wait_for "$engine" "is not announced in Consul at $CONSUL, which it has to reach (its log says why)" is_announced "$CONSUL" "$engine"
	wait_for "$engine" "does not listen on port $GOSSIP_PORT, by which overlay networks find each other (its log says why)" listens "$engine"
done
first=${ENGINES%% *}
announce_anew "$CONSUL" "$first"
wait_for "$first" "does not announce itself again in Consul at $CONSUL" is_announced "$CONSUL" "$first"
echo "gossip: the engines know each other"
