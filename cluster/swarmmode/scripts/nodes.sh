#!/usr/bin/env bash
# Functions about the swarm's nodes. Other scripts begin with them.
export DOCKER_HOST=unix:///var/run/docker.sock

machine_label=swarm-scale.machine # of a node; has the identity of its machine

# list KIND FORMAT [FILTER…] prints a line for each of the swarm's nodes or services. If one is removed between the two calls, it asks again.
list() {
	local kind=$1 format=$2 listed try
	shift 2
	for try in 1 2 3 4 5; do
		if listed=$(docker "$kind" ls --quiet "$@" | xargs -r docker "$kind" inspect --format "$format"); then
			printf '%s' "${listed:+$listed$'\n'}"
			return
		fi
		[ "$try" -eq 5 ] || sleep 1
	done
	return 1
}

# nodes prints a line for each of the swarm's nodes: ID, name, ready or down, worker or manager, and the identity of its machine, if known.
nodes() { list node "{{.ID}} {{.Description.Hostname}} {{.Status.State}} {{.Spec.Role}} {{index .Spec.Labels \"$machine_label\"}}"; }

# in_sequence COMMAND… runs a command that changes a node. The swarm refuses it if it has changed the node itself meanwhile ("update out of
# sequence"), as it does while one is promoted. Then the command is tried again.
in_sequence() {
	local said try
	for try in 1 2 3 4 5; do
		if said=$("$@" 2>&1); then return; fi
		case $said in *"out of sequence"*) ;; *) break ;; esac
		[ "$try" -eq 5 ] || sleep 1
	done
	printf '%s\n' "$said" >&2
	return 1
}

# drop ID removes a node from the swarm. A manager that counts for the majority has to be demoted before. One that does not count, after a
# majority was lost, cannot be demoted.
drop() {
	docker node rm --force "$1" >/dev/null 2>&1 || {
		in_sequence docker node demote "$1"
		docker node rm --force "$1" >/dev/null
	}
}

# note_machine ID IDENTITY notes the identity of a node's machine.
note_machine() { in_sequence docker node update --label-add "$machine_label=$2" "$1"; }

# token ROLE prints the token with which a worker or a manager joins the swarm, and the address of this manager, which lets it in.
token() { echo "token: $(docker swarm join-token --quiet "$1") $(docker info --format '{{.Swarm.NodeAddr}}')"; }
