#!/usr/bin/env bash
# Installs what a machine of the lab needs and its base lacks.
#
# Variables: ENGINE_VERSION  the Docker Engine to install if none fits
#            BASE            the base, for messages
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

outside() { "$@"; }
# shellcheck source=SCRIPTDIR/../../cluster/engine/install/install-engine.sh
. "$(dirname "${BASH_SOURCE[0]}")/install-engine.sh"

missing=()
for pair in sshd:openssh-server sudo:sudo ip:iproute2 iptables:iptables nft:nftables curl:curl pkill:procps; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ -e /lib/lsb/init-functions ] || missing+=(lsb-base) # init scripts use it
if [ "${#missing[@]}" -gt 0 ]; then
	apt-get -q update
	apt-get -q -y install --no-install-recommends ca-certificates "${missing[@]}"
fi

NODE_NAME=$BASE have_engine

# Docker's init script raises limits, and exits if it may not. In a container it may not. The container has its limits from outside.
sed -i 's/^\([[:space:]]*\)ulimit .*/\1:/' /etc/init.d/docker

# Neither may a container of the machine.
runc=$(command -v runc)
dpkg-divert --local --rename --add "$runc"
cp "$(dirname "${BASH_SOURCE[0]}")/runc.sh" "$runc"
chmod 0755 "$runc"

# Each machine gets a host key of its own.
rm -f /etc/ssh/ssh_host_*
id ubuntu >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ubuntu
echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ubuntu
chmod 0440 /etc/sudoers.d/ubuntu
