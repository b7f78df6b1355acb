#!/usr/bin/env bash
# Keeps a packet filter on a node: loads it now, and again whenever the engine starts.
#
# Variables: NODE_NAME        the node's name
#            PRIVATE_ADDRESS  the address at which the other nodes know it
#            RULES            the filter, as nftables reads it
#            ALL              the name of the set with all nodes
#            CLUSTER          the kind of cluster, which a node keeps: Pulumi looks at it here
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

# unit FILE writes standard input to a file of systemd's. It fails if the file has that content already.
unit() {
	local content
	content=$(cat)
	if [ "$(cat "/etc/systemd/system/$1" 2>/dev/null || true)" = "$content" ]; then return 1; fi
	mkdir -p "$(dirname "/etc/systemd/system/$1")"
	printf '%s\n' "$content" >"/etc/systemd/system/$1"
	systemctl daemon-reload
}

if [ -d /run/systemd/system ]; then
	load="nft list table inet swarm-scale >/dev/null 2>&1 || nft -f $file"
	# Nothing listens before the engine runs. If the filter cannot be loaded, the engine does not start.
	unit docker.service.d/swarm-scale-filter.conf <<-END || true
		[Service]
		ExecStartPre=/bin/sh -c '$load'
	END
	# What loads other rules may begin by removing all. Debian's nftables.service does.
	if unit swarm-scale-filter.service <<-END; then
		[Unit]
		Description=Loads the packet filter of swarm-scale again when something has removed it
		[Service]
		ExecStart=/bin/sh -c 'while sleep 5; do $load; done'
		Restart=always
		[Install]
		WantedBy=multi-user.target
	END
		systemctl enable --quiet swarm-scale-filter
		systemctl restart swarm-scale-filter
	fi
fi
echo "packet-filter: $NODE_NAME lets in the other nodes alone${left:+, and for as long as they speak those that leave: $(paste -sd ' ' <<<"$left")}"
