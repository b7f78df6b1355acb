#!/usr/bin/env bash
# Functions that install packages. Other scripts begin with them.
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

# install_package PACKAGE installs a package from the machine's own sources. If it cannot, it says why, and fails.
install_package() {
	if ! command -v apt-get >/dev/null; then
		echo "there is no apt-get, which installs $1" >&2
		return 1
	fi
	# At the first boot, cloud-init says where packages come from.
	if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null || true; fi
	if ! { apt_get update && apt_get install --no-install-recommends "$1"; }; then
		echo "apt-get does not install $1 (the whole log is in $apt_log there)" >&2
		return 1
	fi
}
