#!/usr/bin/env bash
# Waits until the Swarm manager reports every member healthy, and names those that are not.
#
# Variables: MANAGER   the manager's address and port
#            MEMBERS   the members' names, with spaces between them
#            MACHINES  the machines that there are, and Consul's data: a line for each
#            NOTES     where the manager's node keeps what it has to remember
#            WAIT      how many seconds at most
set -euo pipefail

export DOCKER_HOST=unix:///var/run/docker.sock
end=$((SECONDS + WAIT))

# The manager forgets what it knew when a machine has become another one.
known=$NOTES-machines
if [ -e "$known" ] && grep -vxFf <(printf '%s\n' "$MACHINES") "$known" | grep -q .; then
	docker restart swarm-manager >/dev/null
	echo "swarm-members: the manager looks at all machines anew"
fi
printf '%s\n' "$MACHINES" >"$known"

# The manager's report has a pair [name, value] for a node, followed by pairs with its details. One is its status:
#   [" frontend01","192.168.33.20:2375"],["  └ ID","…"],["  └ Status","Healthy"], …
healthy_members() {
	curl -fsS --max-time 5 "http://$MANAGER/info" 2>/dev/null | grep -o '\["[^"]*","[^"]*"\]' | awk -F '"' '
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
Look there, with the ssh commands of "pulumi stack output ssh":
  docker logs swarm-agent     the agent that announces the node
  sudo systemctl status docker   its engine, which the manager has to reach on port $ENGINE_PORT
Machines copied from one image have one engine ID, and the manager takes only one of them:
  sudo rm /etc/docker/key.json && sudo systemctl restart docker   gives a machine its own
END
		exit 1
	fi
	sleep 1
done
