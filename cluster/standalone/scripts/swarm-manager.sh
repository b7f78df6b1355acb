#!/usr/bin/env bash
# Runs the Swarm manager on the manager's own engine, and makes it what docker talks to there for the user that logs in.
# With "delete" as its argument it takes both away.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager listens
#            DISCOVERY        where nodes are found, as Swarm writes it
#            GENERATION       of Consul's data: another one each time Consul begins with nothing
#            NOTES            where the node keeps what it has to remember
#            LOGIN_USER       the user that SSH logs in as
set -euo pipefail

as_user() {
	if [ "$LOGIN_USER" = root ]; then "$@"; else sudo -H -u "$LOGIN_USER" "$@"; fi
}

if [ "$1" = delete ]; then
	as_user docker context use default >/dev/null 2>&1 || true
	as_user docker context rm --force swarm >/dev/null 2>&1 || true
	drop_container swarm-manager
	echo "swarm-manager: gone"
	exit 0
fi

follow_consul "$GENERATION" "$NOTES"
# A manager that does not find Consul looks again after its heartbeat: a minute, if not told.
keep_container swarm-manager "$SWARM_IMAGE" --publish "$PRIVATE_ADDRESS:$MANAGER_PORT:2375" "$SWARM_IMAGE" \
	manage --strategy spread --heartbeat 2s "$DISCOVERY"

# Whoever logs in and says "docker" talks to the Swarm; so does everything that comes through SSH.
verb=create
if as_user docker context inspect swarm >/dev/null 2>&1; then verb=update; fi
as_user docker context "$verb" swarm --docker "host=tcp://$PRIVATE_ADDRESS:$MANAGER_PORT" >/dev/null
as_user docker context use swarm >/dev/null 2>&1

await swarm-manager "http://$PRIVATE_ADDRESS:$MANAGER_PORT/version" swarm
echo "swarm-manager: $SWARM_IMAGE serves at $PRIVATE_ADDRESS:$MANAGER_PORT"
