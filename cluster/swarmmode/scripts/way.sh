#!/usr/bin/env bash
# Makes way for a machine that is about to join the swarm: a dead one of its name is removed. With two, constraints by the name would mean
# either, and a dead manager would count for the majority. With the argument "delete", when the node leaves the stack, whatever has the name
# is removed, with the stack's services that are for it. Otherwise it prints the token with which the machine joins, and where.
#
# Variables: NAME     the node's name
#            MACHINE  the identity of its machine
#            ROLE     what it will be: worker or manager
#            LABEL    the label of the stack's services
#            WAIT     how many seconds a dead machine may seem alive
# Functions: list, nodes, drop, token
# shellcheck disable=SC2153  # NAME and name are two
set -euo pipefail

if [ "$1" = delete ]; then MACHINE=none; fi

# twins prints those of the swarm's nodes that have the name, and not the machine.
twins() {
	nodes | awk -v name="$NAME" -v machine="$MACHINE" '
		$2 == name && substr($0, length($1 $2 $3 $4) + 5) != machine { print }'
}

end=$((SECONDS + WAIT))
while [ "$1" = create ] && [ "$SECONDS" -lt "$end" ]; do
	# One that is ready, and whose machine is known, may be a machine that has just been lost.
	if [ -z "$(twins | awk '$3 == "ready" && NF > 4')" ]; then break; fi
	sleep 1
done
twins | while read -r id _ state _; do
	# It is the same machine with another identity, or one that joined when an earlier deployment was interrupted.
	if [ "$1" = create ] && [ "$state" = ready ]; then continue; fi
	drop "$id" </dev/null
	echo "way: removed $NAME's former machine from the swarm ($id, $state)"
done
if [ "$1" = create ]; then
	token "$ROLE"
	exit 0
fi
list service '{{.ID}} {{.Spec.Name}} {{.Spec.TaskTemplate.Placement.Constraints}}' --filter "label=$LABEL" |
	while read -r id service constraints; do
		if [ "$constraints" != "[node.hostname==$NAME]" ]; then continue; fi
		docker service rm "$id" >/dev/null </dev/null
		echo "way: removed the service $service"
	done
