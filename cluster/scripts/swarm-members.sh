#!/usr/bin/env bash
# Waits until the Swarm manager reports every member healthy, and names those that are not.
#
# Variables: MANAGER  the manager's address and port
#            MEMBERS  the members' names, with spaces between them
#            WAIT     how many seconds at most
set -euo pipefail

# The manager's report has a pair [name, value] for a node and further pairs for its details, one of them its status:
#   [" frontend01","192.168.33.20:2375"],["  └ ID","…"],["  └ Status","Healthy"], …
healthy_members() {
	curl -fsS --max-time 5 "http://$MANAGER/info" 2>/dev/null | grep -o '\["[^"]*","[^"]*"\]' | awk -F '"' '
		$2 ~ /^ [^ ]/ { node = substr($2, 2) }
		$2 ~ / Status$/ && $4 == "Healthy" { print node }'
}

end=$((SECONDS + WAIT))
while :; do
	missing=
	report=$(healthy_members) || report=
	for member in $MEMBERS; do
		grep -qxF "$member" <<<"$report" || missing="$missing $member"
	done
	if [ -z "$missing" ]; then
		echo "swarm-members: all healthy: $MEMBERS"
		exit 0
	fi
	if [ "$SECONDS" -ge "$end" ]; then
		cat >&2 <<END
swarm-members: after $WAIT s the Swarm manager at $MANAGER does not report healthy:$missing
Look there, with the ssh commands of "pulumi stack output ssh":
  docker logs swarm-agent     the agent that announces the node
  sudo systemctl status docker   its engine, which the manager has to reach on port 2375
Machines that were copied from one image have one engine ID, and the manager takes only one of them:
  sudo rm /etc/docker/key.json && sudo systemctl restart docker   gives a machine its own
END
		exit 1
	fi
	sleep 1
done
