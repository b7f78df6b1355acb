#!/usr/bin/env bash
# Runs the Swarm manager on the manager's own engine, and makes a docker context of it for the user that logs in. With the
# argument "delete" the script removes both.
#
# Variables: SWARM_IMAGE      the image
#            PRIVATE_ADDRESS  the address at which the manager listens
#            DISCOVERY        Swarm's discovery URL
#            GENERATION       of Consul's data; another one after each start without data
#            NOTES            the node's file of state between runs
#            LOGIN_USER       the user that SSH logs in as
#            NETWORK          options of docker run about its network
#            OPTIONS          further options of the manager
set -euo pipefail

if [ "$1" = delete ]; then
	as_user docker context use default >/dev/null 2>&1 || true
	as_user docker context rm --force swarm >/dev/null 2>&1 || true
	drop_container swarm-manager
	echo "swarm-manager: removed"
	exit 0
fi

follow_consul "$GENERATION" "$NOTES"
# The manager looks for Consul once a heartbeat, which is a minute by default.
# shellcheck disable=SC2086  # several words, or none
keep_container swarm-manager "$SWARM_IMAGE" 384m $NETWORK "$SWARM_IMAGE" \
	manage --strategy spread --heartbeat 2s $OPTIONS "$DISCOVERY"

# With this context, docker in a login shell or through SSH talks to the Swarm manager.
verb=create
if as_user docker context inspect swarm >/dev/null 2>&1; then verb=update; fi
as_user docker context "$verb" swarm --docker "host=tcp://$PRIVATE_ADDRESS:$MANAGER_PORT" >/dev/null
as_user docker context use swarm >/dev/null 2>&1

await swarm-manager "http://$PRIVATE_ADDRESS:$MANAGER_PORT/version" swarm
echo "swarm-manager: $SWARM_IMAGE serves at $PRIVATE_ADDRESS:$MANAGER_PORT"
