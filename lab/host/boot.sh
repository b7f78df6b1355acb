#!/usr/bin/env bash
# What a machine of the lab does when it is turned on, and when it is shut down.
set -euo pipefail

# The kernel's interfaces that an engine writes to are mounted read-only in a container.
while read -r _ target _; do
	case "$target" in
	/sys | /sys/fs/cgroup | /sys/fs/cgroup/* | /proc/sys) mount -o remount,bind,rw "$target" ;;
	esac
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

# As its package has it, the engine starts with the machine, configured or not.
service docker start
# There is no systemd here to run the stack's own service, and to run it again when it ends.
service=/usr/local/lib/swarm-scale/tend-containers
while :; do
	if [ -x "$service" ]; then "$service" || true; fi
	sleep 1
done >>/var/log/swarm-scale-containers.log 2>&1 &

# Shut down in good order: the engine stops its containers, which start again with it.
off() {
	service docker stop
	exit 0
}
trap off TERM
while :; do
	sleep infinity &
	wait $! || true
done
