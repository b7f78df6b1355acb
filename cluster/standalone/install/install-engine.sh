#!/usr/bin/env bash
# Functions that install an engine with a Consul client. Other scripts begin with them.
#
# Variables: ENGINE_VERSION  the Docker Engine to install if none fits
#            NODE_NAME       the machine, for messages
# Functions: outside         runs a command that goes to the internet

fail() {
	echo "engine: $*" >&2
	exit 1
}

apt_get() {
	local log=/var/log/swarm-scale-apt.log
	if ! outside apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@" >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		fail "apt-get $1 failed on $NODE_NAME (the whole log is in $log there)"
	fi
}

# An engine fits if it has a Consul client for --cluster-store. Docker's own packages have it before release 23.0. Those of some
# distributions do not.
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
	*) fail "$NODE_NAME runs $PRETTY_NAME, on which Docker Engine $ENGINE_VERSION cannot be installed automatically: use Ubuntu 22.04, or install an engine with --cluster-store yourself (20.10 or older, from Docker's repository)" ;;
	esac
	if command -v dockerd >/dev/null; then
		fail "$NODE_NAME has $(dockerd --version), which has no --cluster-store with Consul: remove it, and Docker Engine $ENGINE_VERSION will be installed instead"
	fi
	echo "engine: installing Docker Engine $ENGINE_VERSION"
	apt_get update
	apt_get install ca-certificates
	install -d -m 0755 /etc/apt/keyrings
	outside curl -fsSL --retry 5 "https://download.docker.com/linux/$ID/gpg" -o /etc/apt/keyrings/docker.asc ||
		fail "$NODE_NAME cannot reach download.docker.com: check its route to the internet"
	echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/$ID $VERSION_CODENAME stable" \
		>/etc/apt/sources.list.d/docker.list
	apt_get update
	local version
	version=$(apt-cache madison docker-ce | awk -v wanted=":$ENGINE_VERSION~" 'index($3, wanted) && !found++ { print $3 }')
	[ -n "$version" ] ||
		fail "Docker's repository has no Docker Engine $ENGINE_VERSION for $PRETTY_NAME: use Ubuntu 22.04"
	apt_get install "docker-ce=$version" "docker-ce-cli=$version" containerd.io
}

# have_engine installs an engine unless there is one that fits. It keeps unattended upgrades from replacing it.
have_engine() {
	if ! command -v curl >/dev/null; then
		apt_get update
		apt_get install curl
	fi
	engine_fits || install_engine
	engine_fits || fail "the engine installed on $NODE_NAME has no --cluster-store with Consul"
	if dpkg -s docker-ce >/dev/null 2>&1; then
		apt-mark hold docker-ce docker-ce-cli containerd.io >/dev/null
	fi
}
