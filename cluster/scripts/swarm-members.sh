#!/usr/bin/env bash
# Waits until the Swarm manager reports every member healthy, and names those that are not. Then sees to it that all engines
# are in one gossip, without which the overlay network does not carry between them, and that the network keeps no place for
# containers that are gone with their machine.
#
# Variables: MANAGER  the manager's address and port
#            MEMBERS  the members' names, with spaces between them
#            STORE    the address and port of the key-value store
#            ENGINES  address and port of every engine that is announced there, with spaces between; the first is the one
#                     that the others are to join
#            NETWORK  the overlay network's name
#            MACHINES the machines that there are, and the key-value store: a line for each
#            NOTES    where the manager's node keeps what it has to remember
#            WAIT     how many seconds at most
set -euo pipefail

export DOCKER_HOST=unix:///var/run/docker.sock
end=$((SECONDS + WAIT))

# Where a machine has become another one, the manager is not to go on with what it knew of it.
known=$NOTES-machines
if [ -e "$known" ] && grep -vxFf <(printf '%s\n' "$MACHINES") "$known" | grep -q .; then
	docker restart swarm-manager >/dev/null
	echo "swarm-members: the manager looks at all machines anew"
fi
printf '%s\n' "$MACHINES" >"$known"

# The manager's report has a pair [name, value] for a node and further pairs for its details, one of them its status:
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
  sudo systemctl status docker   its engine, which the manager has to reach on port 2375
Machines that were copied from one image have one engine ID, and the manager takes only one of them:
  sudo rm /etc/docker/key.json && sudo systemctl restart docker   gives a machine its own
END
		exit 1
	fi
	sleep 1
done

# An engine joins the gossip when it learns of another one that listens; those that start together stay alone, or in groups that
# keep apart. Whoever has found nobody yet, at least one in each group, tries again when an engine is announced. So, once all
# of them listen, the first one is taken off the store's list; within its heartbeat it announces itself anew.
wait_for() { # ENGINE COMPLAINT COMMAND…
	local engine=$1 complaint=$2
	shift 2
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "swarm-members: after $WAIT s the engine at ${engine%:*} $complaint" >&2
			exit 1
		fi
		sleep 0.5
	done
}

for engine in $ENGINES; do
	wait_for "$engine" "is not announced in the store at $STORE, which it has to reach (its log says why)" is_announced "$STORE" "$engine"
	wait_for "$engine" "does not listen on port 7946, by which overlay networks find each other (its log says why)" listens "$engine"
done
first=${ENGINES%% *}
announce_anew "$STORE" "$first"
wait_for "$first" "does not announce itself anew in the store at $STORE" is_announced "$STORE" "$first"
echo "swarm-members: the engines know each other"

# A machine that was lost left its containers' places on the network in the store, and an engine refuses a container whose
# name has a place already. The manager's own engine shares the store, and frees them. Every engine that is announced is
# asked for its containers, those of machines that are about to leave the stack among them; if one does not answer, or the store
# does not say who they are, all stays.
places=$(docker network inspect "$NETWORK" --format '{{range .Containers}}{{println .Name}}{{end}}' 2>/dev/null | sort -u) || places=
if [ -n "$places" ]; then
	if ! listed=$(announced "$STORE"); then
		echo "swarm-members: the store at $STORE does not list the engines, so $NETWORK keeps its places"
		exit 0
	fi
	containers=
	for engine in $listed; do
		if ! names=$(timeout 10 docker -H "tcp://$engine" ps --all --format '{{.Names}}'); then
			echo "swarm-members: the engine at ${engine%:*} does not tell its containers, so $NETWORK keeps its places"
			exit 0
		fi
		containers+=$names$'\n'
	done
	containers=$(tr ',' '\n' <<<"$containers" | sed 's|.*/||')
	while read -r place; do
		if [ -n "$place" ] && ! grep -qxF "$place" <<<"$containers"; then
			docker network disconnect --force "$NETWORK" "$place"
			echo "swarm-members: $NETWORK has forgotten $place, which is on no machine any more"
		fi
	done <<<"$places"
fi
