#!/usr/bin/env bash
# Removes a machine's packet filter when the machine is given back. Runs last, when nothing listens for other nodes any more.
if [ "$1" = delete ]; then
	if [ -d /run/systemd/system ]; then systemctl disable --quiet --now swarm-scale-filter 2>/dev/null || true; fi
	rm -f /etc/swarm-scale-filter.nft /etc/systemd/system/docker.service.d/swarm-scale-filter.conf /etc/systemd/system/swarm-scale-filter.service
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	if nft list table inet swarm-scale >/dev/null 2>&1; then
		nft delete table inet swarm-scale
		echo "packet-filter: removed"
	fi
fi
