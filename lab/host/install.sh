#!/usr/bin/env bash
# Installs what a machine of the lab needs and its base does not have.
#
# Variables: ENGINE_VERSION  the Docker Engine to install where there is none that fits
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# The cluster keeps its state in Consul: the engine has to be one with a client for it.
engine_fits() {
	local binary
	binary=$(command -v dockerd) && grep -aqF 'docker/libkv/store/consul' "$binary"
}

missing=()
for pair in sshd:openssh-server sudo:sudo ip:iproute2 iptables:iptables curl:curl pkill:procps; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ -e /lib/lsb/init-functions ] || missing+=(lsb-base) # init scripts use it
if [ "${#missing[@]}" -gt 0 ]; then
	apt-get -q update
	apt-get -q -y install --no-install-recommends ca-certificates "${missing[@]}"
fi

if ! engine_fits; then
	# shellcheck source=/dev/null
	. /etc/os-release
	install -d -m 0755 /etc/apt/keyrings
	curl -fsSL --retry 5 "https://download.docker.com/linux/$ID/gpg" -o /etc/apt/keyrings/docker.asc
	echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/$ID $VERSION_CODENAME stable" \
		>/etc/apt/sources.list.d/docker.list
	apt-get -q update
	version=$(apt-cache madison docker-ce | awk -v wanted=":$ENGINE_VERSION~" 'index($3, wanted) { print $3; exit }')
	[ -n "$version" ] || {
		echo "Docker's repository has no Docker Engine $ENGINE_VERSION for $PRETTY_NAME: use ubuntu:22.04 as the base" >&2
		exit 1
	}
	apt-get -q -y install --no-install-recommends "docker-ce=$version" "docker-ce-cli=$version" containerd.io
	engine_fits
fi

# Its init script raises limits, and ends where that is refused, as it is in a container: there they are given from outside.
sed -i 's/^\([[:space:]]*\)ulimit .*/\1:/' /etc/init.d/docker

# No two machines share a key, and none of these is used.
rm -f /etc/ssh/ssh_host_*
id ubuntu >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ubuntu
echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ubuntu
chmod 0440 /etc/sudoers.d/ubuntu
