#!/usr/bin/env bash
# Functions that configure a node's engine. The script of each kind of cluster stands behind them.
#
# Variables: NODE_NAME            the node's name
#            LOGIN_USER           the user that SSH logs in as
#            NOTES                the node's file of state between runs
#            CLUSTER              the kind of cluster
#            SWARM_SCALE_MACHINE  the machine's identity
# Functions: fail, restart_engine, await_engine, as_user, member_of
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

ours=$NOTES # exists if the stack configured the engine; has the machine's identity

# A cluster of another kind has other engines, names and networks, and the votes in its queues would have to move.
kind=$(cat "$ours-kind" 2>/dev/null || true)
if [ -z "$kind" ] && [ -s "$ours" ]; then kind=standalone; fi # of a version that knew no other
if [ -n "$kind" ] && [ "$kind" != "$CLUSTER" ]; then
	fail "$NODE_NAME is in a cluster of the kind $kind, and a stack that runs keeps its kind: set it back (pulumi config set cluster $kind)," \
		"or destroy the stack first. If there is none any more, run this there: sudo rm $ours*"
fi
mkdir -p "$(dirname "$ours")"
echo "$CLUSTER" >"$ours-kind"

# changed FILE writes standard input to the file. It fails if the file has that content already. A file that was there before the
# stack is kept beside it.
changed() {
	local content
	content=$(cat)
	if [ "$(cat "$1" 2>/dev/null || true)" = "$content" ]; then
		return 1
	fi
	mkdir -p "$(dirname "$1")"
	if [ -e "$1" ] && [ ! -e "$1.before-swarm-scale" ] && [ ! -e "$ours" ]; then
		cp -p "$1" "$1.before-swarm-scale"
		echo "engine: saved the former $1 as $1.before-swarm-scale"
	fi
	printf '%s\n' "$content" >"$1.new"
	mv "$1.new" "$1" # in one step: a running script keeps its own file
}

# start_limit lets the engine try for ever. The private address may come late after a boot, by a VPN for instance. Docker's own unit
# gives up after three starts.
start_limit() {
	if changed /etc/systemd/system/docker.service.d/swarm-scale-start.conf <<-END; then systemctl daemon-reload; fi
		[Unit]
		StartLimitIntervalSec=0
	END
}

# admit_login lets the user that SSH logs in as call docker. Docker over SSH runs as this user.
admit_login() {
	if [ "$LOGIN_USER" != root ] && ! member_of docker "$LOGIN_USER"; then
		groupadd -f docker
		gpasswd --add "$LOGIN_USER" docker >/dev/null # knows users of a directory, which usermod does not
	fi
}

# run_engine RESTART UNIT… starts the engine, again if RESTART is yes, and has the units start with the machine. It fails with the end of
# the engine's log.
run_engine() {
	local restart=$1
	shift
	touch "$ours"
	if [ "$restart" = yes ] || ! docker info >/dev/null 2>&1; then
		if [ -d /run/systemd/system ]; then
			systemctl daemon-reload
			systemctl enable --quiet docker "$@"
		fi
		restart_engine
		echo "engine: restarted with a changed configuration"
	fi
	if ! await_engine || ! docker version >/dev/null 2>&1; then
		journalctl -u docker --no-pager -n 20 >&2 2>/dev/null || tail -n 20 /var/log/docker.log >&2 || true
		fail "the engine of $NODE_NAME did not start within 60 s (the end of its log is above)"
	fi
	if [ -s "$ours" ] && [ "$(cat "$ours")" != "$SWARM_SCALE_MACHINE" ]; then
		# The stack takes it for an empty machine, and starts every container. The new ones use the volumes that are there.
		docker ps --all --quiet --filter label=swarm-scale | xargs -r docker rm --force >/dev/null
		echo "engine: $NODE_NAME is the same machine with another identity: removed its former containers"
	fi
	printf '%s\n' "$SWARM_SCALE_MACHINE" >"$ours"
}

# login_context prints the docker context of the user that SSH logs in as. Pulumi calls docker through this user's login, where it follows
# that context.
login_context() {
	as_user env -u DOCKER_HOST docker context inspect --format '{{.Name}}' 2>/dev/null || echo default
}

# refuse_context NAME fails, because with that context Pulumi would call another engine.
refuse_context() {
	fail "docker of the user $LOGIN_USER on $NODE_NAME uses the context $1, and so would Pulumi: run \"docker context use default\" there as that user"
}
