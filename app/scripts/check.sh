#!/usr/bin/env bash
# Waits until every container of the application works, as its own check says, and the vote page answers through the load
# balancer. Those that do not are named, with what they have to say. Runs on the manager.
#
# Variables: CONTAINERS  the containers, each as NAME=ADDRESS-OF-ITS-ENGINE-OR-MANAGER, with spaces between
#            BALANCER    the load balancer's address
#            VOTE_HOST   the vote page's host name
#            WAIT        how many seconds at most
set -euo pipefail

inspect() { docker -H "${1#*=}" inspect --format "$2" "${1%%=*}" 2>/dev/null; }
health() { inspect "$1" '{{with .State.Health}}{{.Status}}{{else}}without a check{{end}}' || echo missing; }
page() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H "Host: $VOTE_HOST" "http://$BALANCER/"; }

end=$((SECONDS + WAIT))
read -ra waiting <<<"$CONTAINERS"
count=${#waiting[@]}
while :; do
	still=()
	for container in "${waiting[@]}"; do
		[ "$(health "$container")" = healthy ] || still+=("$container")
	done
	waiting=("${still[@]}")
	if [ "${#waiting[@]}" -eq 0 ] && status=$(page) && [ "$status" = 200 ]; then
		echo "check: all $count containers work, and the vote page answers through $BALANCER"
		exit 0
	fi
	[ "$SECONDS" -lt "$end" ] || break
	sleep 1
done

for container in "${waiting[@]}"; do
	echo "check: after $WAIT s ${container%%=*} is $(health "$container"), $(inspect "$container" '{{.State.Status}}' || echo "not to be found by ${container#*=}")"
	inspect "$container" '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' | grep . | tail -n 1 | sed 's/^/  its check says: /' || true
	docker -H "${container#*=}" logs --tail 3 "${container%%=*}" 2>&1 | sed 's/^/  its log ends:   /' || true
done >&2
if [ "${#waiting[@]}" -eq 0 ]; then
	echo "check: all containers work, but through the load balancer at $BALANCER the vote page answers ${status:-nothing} (000 is no answer at all): look at the load balancer's log there" >&2
fi
exit 1
