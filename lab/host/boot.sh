#!/usr/bin/env bash
# What a machine of the lab does when it is turned on, and when it is shut down.
set -euo pipefail

# The kernel's interfaces that an engine writes to are mounted read-only in a container.
mount -o remount,rw /sys 2>/dev/null || true
mount -o remount,rw /proc/sys 2>/dev/null || true
while read -r _ target type _; do
	case "$type" in cgroup | cgroup2) mount -o remount,rw "$target" ;; esac
done </proc/mounts
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	# In version 2 a group with processes of its own cannot hand its controllers on: this one's go a level down.
	mkdir -p /sys/fs/cgroup/init
	xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
	sed 's/ / +/g; s/^/+/' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# The kernel may know one of the two ways to filter packets only.
iptables -nL >/dev/null 2>&1 || update-alternatives --set iptables /usr/sbin/iptables-legacy

mkdir -p /run/sshd /run/lock
chown -R ubuntu: /home/ubuntu/.ssh
chmod 0700 /home/ubuntu/.ssh
/usr/sbin/sshd

# The engine of a machine that has been a node starts with it; a new machine's waits to be configured.
if [ -e /etc/docker/daemon.json ]; then service docker start; fi

# Shut down in good order: the engine stops its containers, which start again with it.
off() {
	if [ -e /run/docker.pid ]; then service docker stop; fi
	exit 0
}
trap off TERM
while :; do
	sleep infinity &
	wait $! || true
done
