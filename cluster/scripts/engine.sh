#!/usr/bin/env bash
# Installs and configures the engine of a node. Restarts it only when its configuration changed.
#
# Variables: NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the IPv4 address by which the other nodes reach it
#            CLUSTER_STORE    where the cluster's key-value store is, as the engine writes it
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

fail() {
	echo "engine: $*" >&2
	exit 1
}

apt_get() {
	local log=/var/log/swarm-scale-apt.log
	if ! apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@" >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		fail "apt-get $1 failed on $NODE_NAME (the whole log is in $log there)"
	fi
}

# An engine fits if it was built with a Consul client for --cluster-store: Docker's own before release 23.0 are, those of
# some distributions are not.
engine_fits() {
	local binary
	binary=$(command -v dockerd) || return 1
	grep -aqF 'docker/libkv/store/consul' "$binary"
}

install_engine() {
	[ -r /etc/os-release ] || fail "$NODE_NAME does not say which system it runs: use Ubuntu 22.04"
	# shellcheck source=/dev/null
	. /etc/os-release
	case "$ID" in
	ubuntu | debian) ;;
	*) fail "$NODE_NAME runs $PRETTY_NAME, for which this does not know how to install Docker Engine $ENGINE_VERSION: use Ubuntu 22.04, or install an engine that has --cluster-store (20.10 or older, from Docker's repository) yourself" ;;
	esac
	if command -v dockerd >/dev/null; then
		fail "$NODE_NAME has $(dockerd --version), which has no --cluster-store with Consul: remove it, and Docker Engine $ENGINE_VERSION will be installed in its place"
	fi
	echo "engine: installing Docker Engine $ENGINE_VERSION"
	apt_get update
	apt_get install ca-certificates
	install -d -m 0755 /etc/apt/keyrings
	curl -fsSL --retry 5 "https://download.docker.com/linux/$ID/gpg" -o /etc/apt/keyrings/docker.asc ||
		fail "$NODE_NAME cannot reach download.docker.com: check its route to the internet"
	echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/$ID $VERSION_CODENAME stable" \
		>/etc/apt/sources.list.d/docker.list
	apt_get update
	local version
	version=$(apt-cache madison docker-ce | awk -v wanted=":$ENGINE_VERSION~" 'index($3, wanted) { print $3; exit }')
	[ -n "$version" ] ||
		fail "Docker's repository has no Docker Engine $ENGINE_VERSION for $PRETTY_NAME: use Ubuntu 22.04"
	apt_get install "docker-ce=$version" "docker-ce-cli=$version" containerd.io
}

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

if ! command -v curl >/dev/null; then
	apt_get update
	apt_get install curl
fi
engine_fits || install_engine
engine_fits || fail "the engine that was installed on $NODE_NAME has no --cluster-store with Consul"
# An unattended upgrade would bring an engine without --cluster-store.
if dpkg -s docker-ce >/dev/null 2>&1; then
	apt-mark hold docker-ce docker-ce-cli containerd.io >/dev/null
fi

restart=no
# tls has to be denied in so many words: otherwise the engine holds its start up for 15 s to warn about a port without it.
# An engine that does not find the store looks again after its heartbeat: 20 s, if not told. The store starts after it.
if changed /etc/docker/daemon.json <<END; then restart=yes; fi
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://$PRIVATE_ADDRESS:2375"],
  "tls": false,
  "cluster-store": "$CLUSTER_STORE",
  "cluster-advertise": "$PRIVATE_ADDRESS:2375",
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
		echo "engine: Docker Engine $version on $NODE_NAME listens at $PRIVATE_ADDRESS:2375"
		exit 0
	fi
	sleep 1
done
journalctl -u docker --no-pager -n 20 >&2 2>/dev/null || tail -n 20 /var/log/docker.log >&2 || true
fail "the engine of $NODE_NAME did not start within 60 s (its last words are above)"
