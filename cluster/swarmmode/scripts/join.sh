#!/usr/bin/env bash
# Has a node join the swarm, unless it is in it. With the argument "delete" the node leaves.
#
# Variables: NODE_NAME        the node's name
#            ADDRESS          the address at which the other nodes reach this one
#            SWARM            the swarm's ID
#            TOKEN            the token to join with, a space, and the address of a manager that lets the node in
#            NOTES            the node's file of state between runs
#            MANAGEMENT_PORT  the managers' port
set -euo pipefail
export -n TOKEN
export DOCKER_HOST=unix:///var/run/docker.sock

fail() {
	echo "join: $*" >&2
	exit 1
}

ours=$NOTES-swarm # has the swarm's ID
manager=${TOKEN##* }

leave() {
	docker swarm leave --force >/dev/null 2>&1 || true
	rm -f "$ours"
}

# api METHOD PATH calls the engine with the standard input, so that no command line has the token.
api() { curl -sS --max-time 60 --unix-socket /var/run/docker.sock -X "$1" -H 'Content-Type: application/json' --data-binary @- -w '\n%{http_code}' "http://engine$2"; }

if [ "$1" = delete ]; then
	leave
	echo "join: $NODE_NAME left the swarm"
	exit 0
fi

state=$(docker info --format '{{.Swarm.LocalNodeState}}')
if [ "$state" != inactive ]; then
	if [ ! -e "$ours" ]; then
		fail "$NODE_NAME is in a swarm that is not this stack's: take it out of it (docker swarm leave), or take another machine"
	fi
	# It may be in the stack's former swarm, which is no more. Or its certificates have expired.
	if [ "$(cat "$ours")" != "$SWARM" ] || [ "$state" = error ]; then
		leave
		state=inactive
	fi
fi
if [ "$state" = inactive ]; then
	# One manager that works, and not all: the engine asks one of them, and fails if that one is this node, or dead.
	answer=$(printf '{"ListenAddr":"%s:%s","AdvertiseAddr":"%s","DataPathAddr":"%s","RemoteAddrs":["%s:%s"],"JoinToken":"%s"}' \
		"$ADDRESS" "$MANAGEMENT_PORT" "$ADDRESS" "$ADDRESS" "$manager" "$MANAGEMENT_PORT" "${TOKEN% *}" | api POST /swarm/join) ||
		fail "the engine of $NODE_NAME does not answer: look at \"sudo systemctl status docker\" there"
	case $answer in
	*$'\n'200) ;;
	*"Timeout was reached"*) ;; # it goes on trying
	*) fail "$NODE_NAME cannot join the swarm of $manager: ${answer%$'\n'*}" ;;
	esac
	echo "$SWARM" >"$ours"
fi
end=$((SECONDS + 60))
until [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ]; do
	if [ "$SECONDS" -ge "$end" ]; then
		docker info --format '{{.Swarm.Error}}' >&2
		fail "$NODE_NAME is not in the swarm after 60 s: look whether it reaches $manager, and whether their clocks agree"
	fi
	sleep 0.2
done
echo "join: $NODE_NAME is in the swarm"
