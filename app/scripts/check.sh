#!/usr/bin/env bash
# Waits until every workload is healthy and the vote page answers through every load balancer. Fails with the names and the last
# words of those that are not.
#
# Variables: WORKLOADS  the workloads' names, separated by spaces
#            BALANCERS  the load balancers' addresses, separated by spaces
#            VOTE_HOST  the vote page's host name
#            WAIT       how many seconds to wait at most
#            PRESENT    empty
set -euo pipefail

page() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H "Host: $VOTE_HOST" "http://$1/" || true; }

end=$((SECONDS + WAIT))
read -ra waiting <<<"$WORKLOADS"
read -ra silent <<<"$BALANCERS"
count=${#waiting[@]}
while :; do
	still=()
	for workload in "${waiting[@]}"; do
		[ "$(workload_health "$workload")" = healthy ] || still+=("$workload")
	done
	waiting=("${still[@]}")
	if [ "${#waiting[@]}" -eq 0 ]; then
		still=()
		for balancer in "${silent[@]}"; do
			status=$(page "$balancer")
			[ "$status" = 200 ] || still+=("$balancer")
		done
		silent=("${still[@]}")
		if [ "${#silent[@]}" -eq 0 ]; then
			echo "check: all $count workloads work, and the vote page answers through $BALANCERS"
			exit 0
		fi
	fi
	[ "$SECONDS" -lt "$end" ] || break
	sleep 1
done

for workload in "${waiting[@]}"; do
	echo "check: after $WAIT s $workload is $(workload_health "$workload") and $(workload_state "$workload")"
	workload_last_words "$workload"
done >&2
if [ "${#waiting[@]}" -eq 0 ]; then
	echo "check: all workloads work, but through the load balancer at ${silent[0]} the vote page answers ${status:-nothing} (000: no answer): look at the load balancer's log there" >&2
fi
exit 1
