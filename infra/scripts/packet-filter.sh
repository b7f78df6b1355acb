#!/usr/bin/env bash
# Keeps a packet filter on a node: loads it now, and again whenever the engine starts.
#
# Variables: NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the address at which the other nodes know it
#            RULES            the filter, as nftables reads it
#            ALL              the name of the set with all nodes
#            SILENCE          how long a node that has left is let in after its last packet, such as 10m
# Functions: install_package
set -euo pipefail

fail() {
	echo "packet-filter: $*" >&2
	exit 1
}

# addresses prints the addresses in a text, sorted.
addresses() { grep -oE '([0-9]{1,3}\.){3}[0-9]{1,3}' | sort -u; }

command -v nft >/dev/null || install_package nftables || fail "$NODE_NAME has no nft, which filters packets: install nftables there"

# The other nodes let in the private address alone. Where the machine does not have that address at all, ready.sh says so.
if [ -n "$(ip -o -4 address show to "$PRIVATE_ADDRESS/32")" ]; then
	for node in $(addresses <<<"$RULES"); do
		route=$(ip -o -4 route get "$node" 2>&1) || fail "$NODE_NAME has no route to $node ($route): correct its routes, or the privateAddress of the node that has this one"
		from=$(sed -n 's/.* src \([0-9.]*\).*/\1/p' <<<"$route")
		if [ "${from:-$PRIVATE_ADDRESS}" != "$PRIVATE_ADDRESS" ]; then
			fail "$NODE_NAME calls $node from its address $from, but is known to the other nodes by $PRIVATE_ADDRESS: set its privateAddress to $from, or correct its routes"
		fi
	done
fi

# Nodes that the loaded filter knows and the new one does not have left, or are about to.
left=$(comm -23 <(nft list table inet swarm-scale 2>/dev/null | addresses) <(addresses <<<"$RULES"))
elements=
for node in $left; do elements+="${elements:+, }$node timeout $SILENCE"; done
loaded=$RULES
if [ -n "$elements" ]; then loaded+=$'\n'"add element inet swarm-scale $ALL { $elements }"; fi
nft -f - <<<"$loaded" ||
	fail "$NODE_NAME does not take the packet filter (nft says why above): it needs a kernel of 4.10 or newer with nf_tables"

file=/etc/swarm-scale-filter.nft
printf '%s\n' "$RULES" >"$file.new"
mv "$file.new" "$file"
if [ -d /run/systemd/system ]; then
	# Nothing listens before the engine runs. If the filter cannot be loaded, the engine does not start.
	unit=/etc/systemd/system/docker.service.d/swarm-scale-filter.conf
	wanted="[Service]
ExecStartPre=/bin/sh -c 'nft list table inet swarm-scale >/dev/null 2>&1 || exec nft -f $file'"
	if [ "$(cat "$unit" 2>/dev/null || true)" != "$wanted" ]; then
		mkdir -p "$(dirname "$unit")"
		printf '%s\n' "$wanted" >"$unit"
		systemctl daemon-reload
	fi
fi
echo "packet-filter: $NODE_NAME lets in the other nodes alone${left:+, and for as long as they speak those that leave: $(paste -sd ' ' <<<"$left")}"
