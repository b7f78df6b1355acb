#!/usr/bin/env bash
# The main process of a machine of the lab: starts its services, and stops them at shutdown.
set -euo pipefail

# A container has these mounts read-only. An engine writes to them.
while read -r _ target _; do
	case "$target" in
	/sys | /sys/fs/cgroup | /sys/fs/cgroup/* | /proc/sys) mount -o remount,bind,rw "$target" ;;
	esac
done </proc/mounts
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	# In cgroup v2, a group with processes cannot pass controllers to its children. So move this group's processes to a child.
	mkdir -p /sys/fs/cgroup/init
	xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
	sed 's/ / +/g; s/^/+/' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# The kernel may support only one of nftables and legacy iptables.
iptables -nL >/dev/null 2>&1 || update-alternatives --set iptables /usr/sbin/iptables-legacy

mkdir -p /run/sshd /run/lock
chown -R ubuntu: /home/ubuntu/.ssh
chmod 0700 /home/ubuntu/.ssh
/usr/sbin/sshd

# In place of systemd: load the stack's packet filter before the engine listens.
filter=/etc/swarm-scale-filter.nft
if [ -e "$filter" ]; then nft -f "$filter"; fi

# The engine starts with the machine, as with Docker's package, configured or not.
service docker start
# In place of systemd: start it again when it has crashed. One that was stopped in good order leaves no file with its process ID.
while sleep 2; do
	if [ -e /run/docker.pid ] && ! kill -0 "$(cat /run/docker.pid)" 2>/dev/null; then service docker start; fi
done >>/var/log/docker.log 2>&1 &
# In place of systemd: run the stack's own service, and restart it when it ends.
service=/usr/local/lib/swarm-scale/tend-containers
while :; do
	if [ -x "$service" ]; then "$service" || true; fi
	sleep 1
done >>/var/log/swarm-scale-containers.log 2>&1 &

# At shutdown the engine stops its containers. They start again with it.
off() {
	service docker stop
	exit 0
}
trap off TERM
while :; do
	sleep infinity &
	wait $! || true
done
