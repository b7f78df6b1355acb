#!/usr/bin/env bash
# Installs and configures the engine of a node. Restarts it only when its configuration changed.
#
# Variables: NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the IPv4 address by which the other nodes reach it
#            CLUSTER_STORE    where Consul is, as the engine writes it
#            ENGINE_VERSION   the Docker Engine to install where there is none that fits
#            LOGIN_USER       the user that SSH logs in as
#            LOG_SIZE, LOG_FILES  when a container's log begins another file, and how many are kept
#            NOTES                where the node keeps what it has to remember
#            TEND_CONTAINERS      a script to run as a service for as long as the engine does
#            SWARM_SCALE_MACHINE  the machine's identity
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
export DOCKER_HOST=unix:///var/run/docker.sock

tender=/usr/local/lib/swarm-scale/tend-containers
ours=$NOTES # marks an engine that this script configured, and has the machine's identity

# Writes standard input to a file if it differs, and says so by its status.
changed() {
	local content
	content=$(cat)
	if [ "$(cat "$1" 2>/dev/null || true)" = "$content" ]; then
		return 1
	fi
	mkdir -p "$(dirname "$1")"
	if [ -e "$1" ] && [ ! -e "$1.before-swarm-scale" ] && [ ! -e "$ours" ]; then
		cp -p "$1" "$1.before-swarm-scale"
		echo "engine: what was in $1 is now in $1.before-swarm-scale"
	fi
	printf '%s\n' "$content" >"$1.new"
	mv "$1.new" "$1" # in one step: what is running from it goes on with what it was
}

have_engine

restart=no
# Without "tls": false the engine delays its start by 15 s to warn about a port without TLS.
# An engine that does not find Consul looks again after its heartbeat: 20 s, if not told. Consul starts after it.
if changed /etc/docker/daemon.json <<END; then restart=yes; fi
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://$PRIVATE_ADDRESS:$ENGINE_PORT"],
  "tls": false,
  "cluster-store": "$CLUSTER_STORE",
  "cluster-advertise": "$PRIVATE_ADDRESS:$ENGINE_PORT",
  "cluster-store-opts": { "discovery.heartbeat": "2", "discovery.ttl": "60" },
  "log-driver": "json-file",
  "log-opts": { "max-size": "$LOG_SIZE", "max-file": "$LOG_FILES" }
}
END
if [ -d /run/systemd/system ]; then
	# The unit's own -H would clash with the hosts above.
	if changed /etc/systemd/system/docker.service.d/swarm-scale.conf <<END; then restart=yes; fi
[Service]
ExecStart=
ExecStart=$(command -v dockerd) --containerd=/run/containerd/containerd.sock
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
		systemctl try-restart swarm-scale-containers # one that runs already
	else
		pkill -x -f "bash $tender" || true # whoever runs it in systemd's place runs it again
	fi
fi
touch "$ours"

# Docker over SSH runs as this user.
if [ "$LOGIN_USER" != root ] && ! id -nG "$LOGIN_USER" | grep -qw docker; then
	groupadd -f docker
	usermod -aG docker "$LOGIN_USER"
fi

if [ "$restart" = yes ] || ! docker info >/dev/null 2>&1; then
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl enable --quiet docker swarm-scale-containers
	fi
	restart_engine
	echo "engine: restarted with a changed configuration"
fi
for _ in $(seq 60); do
	if version=$(docker version --format '{{.Server.Version}}' 2>/dev/null); then
		if [ -s "$ours" ] && [ "$(cat "$ours")" != "$SWARM_SCALE_MACHINE" ]; then
			# The stack takes it for an empty machine and starts everything anew; data on volumes is taken up again.
			docker ps --all --quiet --filter label=swarm-scale | xargs -r docker rm --force >/dev/null
			echo "engine: $NODE_NAME is the same machine with another identity; its containers made room for new ones"
		fi
		printf '%s\n' "$SWARM_SCALE_MACHINE" >"$ours"
		echo "engine: Docker Engine $version on $NODE_NAME listens at $PRIVATE_ADDRESS:$ENGINE_PORT"
		exit 0
	fi
	sleep 1
done
journalctl -u docker --no-pager -n 20 >&2 2>/dev/null || tail -n 20 /var/log/docker.log >&2 || true
fail "the engine of $NODE_NAME did not start within 60 s (its last words are above)"
