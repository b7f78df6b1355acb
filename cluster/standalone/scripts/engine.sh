#!/usr/bin/env bash
# Installs and configures a node's engine. Restarts it only if its configuration has changed.
#
# Functions: have_engine, fail, engine_command, restart_engine, await_engine, as_user, member_of
# Variables: NODE_NAME            the node's name
#            PRIVATE_ADDRESS      the IPv4 address at which the other nodes reach it
#            CLUSTER_STORE        Consul's URL
#            ENGINE_VERSION       the Docker Engine to install if none fits
#            LOGIN_USER           the user that SSH logs in as
#            LOG_DRIVER           what keeps the containers' logs
#            LOG_SIZE, LOG_FILES  how large a container's log file may be, and how many files are kept
#            NOTES                the node's file of state between runs
#            TEND_CONTAINERS      a script to run as a service as long as the engine runs
#            SWARM_SCALE_MACHINE  the machine's identity
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

tender=/usr/local/lib/swarm-scale/tend-containers
ours=$NOTES # exists if this script configured the engine; has the machine's identity

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

have_engine

restart=no
# Without "tls": false the engine waits 15 s at its start, to warn about a port without TLS.
# The engine starts before Consul does. It looks for Consul once a heartbeat, which is 20 s by default.
if changed /etc/docker/daemon.json <<END; then restart=yes; fi
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://$PRIVATE_ADDRESS:$ENGINE_PORT"],
  "tls": false,
  "cluster-store": "$CLUSTER_STORE",
  "cluster-advertise": "$PRIVATE_ADDRESS:$ENGINE_PORT",
  "cluster-store-opts": { "discovery.heartbeat": "2", "discovery.ttl": "60" },
  "log-driver": "$LOG_DRIVER",
  "log-opts": { "max-size": "$LOG_SIZE", "max-file": "$LOG_FILES" }
}
END
if [ -d /run/systemd/system ]; then
	# The unit's own -H conflicts with the hosts above.
	if changed /etc/systemd/system/docker.service.d/swarm-scale.conf <<END; then restart=yes; fi
[Service]
ExecStart=
ExecStart=$(engine_command "$CLUSTER_STORE")
END
	# The private address may come late after a boot, by a VPN for instance. Docker's own unit gives up after three starts.
	if changed /etc/systemd/system/docker.service.d/swarm-scale-start.conf <<END; then systemctl daemon-reload; fi
[Unit]
StartLimitIntervalSec=0
END
	if changed /etc/systemd/system/swarm-scale-containers.service <<END; then restart=yes; fi
[Unit]
Description=Does for the containers what the engine does not do by itself
After=docker.service
StartLimitIntervalSec=0
[Service]
ExecStart=$tender
Restart=always
RestartSec=1
[Install]
WantedBy=docker.service
END
fi
if changed "$tender" <<<"$TEND_CONTAINERS"; then
	chmod 0755 "$tender"
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl try-restart swarm-scale-containers # if it runs
	else
		pkill -x -f "bash $tender" || true # what runs it in place of systemd starts it again
	fi
fi
touch "$ours"

# Docker over SSH runs as this user.
if [ "$LOGIN_USER" != root ] && ! member_of docker "$LOGIN_USER"; then
	groupadd -f docker
	gpasswd --add "$LOGIN_USER" docker >/dev/null # knows users of a directory, which usermod does not
fi

if [ "$restart" = yes ] || ! docker info >/dev/null 2>&1; then
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl enable --quiet docker swarm-scale-containers
	fi
	restart_engine
	echo "engine: restarted with a changed configuration"
fi
if await_engine && version=$(docker version --format '{{.Server.Version}}' 2>/dev/null); then
	if [ -s "$ours" ] && [ "$(cat "$ours")" != "$SWARM_SCALE_MACHINE" ]; then
		# The stack takes it for an empty machine, and starts every container. The new ones use the volumes that are there.
		docker ps --all --quiet --filter label=swarm-scale | xargs -r docker rm --force >/dev/null
		echo "engine: $NODE_NAME is the same machine with another identity: removed its former containers"
	fi
	printf '%s\n' "$SWARM_SCALE_MACHINE" >"$ours"
	# Pulumi calls docker through this user's login, where it follows the user's own context.
	context=$(as_user env -u DOCKER_HOST docker context inspect --format '{{.Name}}' 2>/dev/null) || context=default
	case $context in
	default) ;;
	swarm) docker inspect swarm-manager >/dev/null 2>&1 || as_user docker context use default >/dev/null ;;
	*) fail "docker of the user $LOGIN_USER on $NODE_NAME uses the context $context, and so would Pulumi: run \"docker context use default\" there as that user" ;;
	esac
	echo "engine: Docker Engine $version on $NODE_NAME listens at $PRIVATE_ADDRESS:$ENGINE_PORT"
	exit 0
fi
journalctl -u docker --no-pager -n 20 >&2 2>/dev/null || tail -n 20 /var/log/docker.log >&2 || true
fail "the engine of $NODE_NAME did not start within 60 s (the end of its log is above)"
