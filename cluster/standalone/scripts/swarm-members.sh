#!/usr/bin/env bash
# Waits until the Swarm manager reports every member healthy. Fails with the names of those that are not.
#
# Variables: MANAGER   the manager's address and port
#            MANAGERS  the engines of all managers, as docker calls them, separated by spaces
#            MEMBERS   the members' names, separated by spaces
#            MACHINES  the identity of each member's machine and the generation of Consul's data, one a line
#            NOTES     the node's file of state between runs
#            WAIT      how many seconds to wait at most
set -euo pipefail

export DOCKER_HOST=unix:///var/run/docker.sock
end=$((SECONDS + WAIT))

# A manager remembers replaced machines until it restarts.
known=$NOTES-machines
if [ -e "$known" ] && grep -qvxFf <(printf '%s\n' "$MACHINES") "$known"; then
	for engine in $MANAGERS; do
		timeout 60 docker -H "$engine" restart swarm-manager >/dev/null || echo "swarm-members: the manager of $engine is away, and not restarted"
	done
	echo "swarm-members: restarted the manager, because a machine was replaced"
fi
printf '%s\n' "$MACHINES" >"$known"

# The manager reports each node as a pair [name, address]. Pairs with the node's details follow. One is its status:
#   [" frontend01","192.168.33.20:2375"],["  └ ID","…"],["  └ Status","Healthy"], …
# A replica has a pair ["Primary",address]. The primary takes the orders, so it is the one that has to know the members.
healthy_members() {
	local report primary
	report=$(curl -fsS --max-time 5 "http://$MANAGER/info" 2>/dev/null) || return 1
	primary=$(sed -n 's/.*\["Primary","\([^"]*\)"\].*/\1/p' <<<"$report")
	if [ -n "$primary" ]; then report=$(curl -fsS --max-time 5 "http://$primary/info" 2>/dev/null) || return 1; fi
	grep -o '\["[^"]*","[^"]*"\]' <<<"$report" | awk -F '"' '
		$2 ~ /^ [^ ]/ { node = substr($2, 2) }
		$2 ~ / Status$/ && $4 == "Healthy" { print node }'
}

while :; do
	missing=
	report=$(healthy_members) || report=
	for member in $MEMBERS; do
		grep -qxF "$member" <<<"$report" || missing="$missing $member"
	done
	if [ -z "$missing" ]; then
		echo "swarm-members: all healthy: $MEMBERS"
		break
	fi
	if [ "$SECONDS" -ge "$end" ]; then
		cat >&2 <<END
swarm-members: after $WAIT s the Swarm manager at $MANAGER does not report healthy:$missing
Log in there ("pulumi stack output ssh" has the commands) and look at:
  docker logs swarm-agent        the agent, which announces the node
  sudo systemctl status docker   the engine, which the manager has to reach on port $ENGINE_PORT
Machines copied from one image have the same engine ID, and the manager accepts only one of them. This gives one its own:
  sudo rm /etc/docker/key.json && sudo systemctl restart docker
END
		exit 1
	fi
	sleep 1
done
