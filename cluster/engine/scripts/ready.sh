#!/usr/bin/env bash
# Waits until the machine has finished its first boot, checks that it can be a node, and gives it its name.
#
# Variables: NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the IPv4 address at which the other nodes reach it
#            ARCHITECTURE     of the programs that it runs, amd64 or arm64; empty: it runs none of them
#            MEMORY           how much its containers may use, in MiB, on a member
#            MEMINFO          the file that says how much memory there is; empty: /proc/meminfo
# Functions: await_first_boot
set -euo pipefail

fail() {
	echo "ready: $*" >&2
	exit 1
}

await_first_boot

# Overlay networks need the VXLAN of this kernel.
oldest=3.16
kernel=$(uname -r)
if ! sort -VC <<<"$oldest"$'\n'"${kernel%%-*}"; then
	fail "$NODE_NAME has kernel $kernel: overlay networks need $oldest or newer, so upgrade the kernel"
fi

machine=$(uname -m)
case $machine in
x86_64) machine=amd64 ;;
aarch64) machine=arm64 ;;
esac
[ "${ARCHITECTURE:-$machine}" = "$machine" ] ||
	fail "$NODE_NAME is $machine, and the programs are built for $ARCHITECTURE: set the architecture of the machines (pulumi config set architecture $machine), or take another machine"

# Swarm gives out a twentieth more than the machine has.
total=$(awk '/^MemTotal:/ { print int($2 / 1024) }' "${MEMINFO:-/proc/meminfo}")
[ $((total * 105 / 100)) -ge "$MEMORY" ] ||
	fail "$NODE_NAME has $total MiB of memory, and its containers may use $MEMORY MiB: take a machine with more"

has_address "$PRIVATE_ADDRESS" ||
	fail "$NODE_NAME does not have the address $PRIVATE_ADDRESS but $(ip -o -4 address show scope global | awk '{ printf "%s%s", sep, $4; sep = ", " }'): correct its privateAddress"

# Swarm knows a node by its host name.
if [ "$(hostname)" != "$NODE_NAME" ]; then
	echo "$NODE_NAME" >/etc/hostname
	hostname "$NODE_NAME"
	echo "ready: named the machine $NODE_NAME"
fi
name_host "$NODE_NAME" /etc/hosts

# Docker over SSH opens a connection for every call. With its defaults, sshd drops some of many that come at once.
limits=/etc/ssh/sshd_config.d/10-swarm-scale.conf
wanted='MaxStartups 200:30:400
MaxSessions 100'
if [ -d /etc/ssh/sshd_config.d ] && [ "$(cat "$limits" 2>/dev/null || true)" != "$wanted" ]; then
	printf '%s\n' "$wanted" >"$limits"
	if [ -d /run/systemd/system ]; then
		systemctl reload ssh 2>/dev/null || systemctl reload sshd
	else
		pkill -HUP -o -x sshd
	fi
	echo "ready: configured sshd for many connections at once"
fi

echo "ready: $NODE_NAME at $PRIVATE_ADDRESS, kernel $kernel"
