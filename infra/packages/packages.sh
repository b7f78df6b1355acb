#!/usr/bin/env bash
# Functions that wait for the first boot and install packages. Other scripts begin with them.
#
# Functions: outside  runs a command that goes to the internet

apt_log=/var/log/swarm-scale-apt.log # what apt-get said last

# apt_get ARGUMENT… runs apt-get. Another run of apt is waited for, for five minutes. Without an option for that, apt-get does not wait
# for the lists. Files of the machine's configuration stay as they are.
apt_get() {
	local end=$((SECONDS + 300))
	until outside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$apt_log" 2>&1; do
		if [ "$SECONDS" -ge "$end" ] || ! grep -q 'Could not get lock' "$apt_log"; then
			tail -n 20 "$apt_log" >&2
			return 1
		fi
		sleep 5
	done
}

# await_first_boot waits until cloud-init has ended, for ten minutes. A cloud-init that was installed after the machine's last start has
# not begun, and does not before the next one.
await_first_boot() {
	command -v cloud-init >/dev/null || return 0
	local status=0 problem=failed
	timeout 600 cloud-init status --wait >/dev/null || status=$?
	case $status in
	0 | 2) return 0 ;; # 2 means that it ended with warnings
	124)
		[ -e /run/cloud-init/status.json ] || return 0
		problem="has not ended after 10 minutes"
		;;
	esac
	echo "the first boot of ${NODE_NAME:-this machine} $problem: look at /var/log/cloud-init-output.log there" >&2
	return 1
}

# install_package PACKAGE installs a package from the machine's own sources. If it cannot, it says why, and fails.
install_package() {
	if ! command -v apt-get >/dev/null; then
		echo "there is no apt-get, which installs $1" >&2
		return 1
	fi
	await_first_boot || return 1 # cloud-init says where packages come from
	if ! { apt_get update && apt_get install --no-install-recommends "$1"; }; then
		echo "apt-get does not install $1 (the whole log is in $apt_log there)" >&2
		return 1
	fi
}
