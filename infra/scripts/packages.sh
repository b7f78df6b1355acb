#!/usr/bin/env bash
# A function that installs packages. Other scripts begin with it.
#
# Functions: outside  runs a command that goes to the internet

# install_package PACKAGE installs a package from the machine's own sources. If it cannot, it says why, and fails.
install_package() {
	local log=/var/log/swarm-scale-apt.log apt
	if ! command -v apt-get >/dev/null; then
		echo "there is no apt-get, which installs $1" >&2
		return 1
	fi
	# At the first boot, cloud-init says where packages come from.
	if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null || true; fi
	apt=(outside env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5)
	if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$1"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "apt-get does not install $1 (the whole log is in $log there)" >&2
		return 1
	fi
}
