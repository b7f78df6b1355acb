#!/usr/bin/env bash
# Runs on a machine of the lab. It then gets no packet from the other zones, and sends none there.
#
# Variables: LAB     addresses that stay reachable although they are in another zone's subnet, separated by spaces
#            OTHERS  the subnets of the other zones, separated by spaces
set -euo pipefail

# cut TABLE CHAIN INTERFACE PEER drops what passes a chain of a table, from or to other zones. INTERFACE and PEER are iptables' options for
# the two. The two chains are the first and the last ones that a packet passes.
cut() {
	if iptables -w -t "$1" -nL LAB-CUT >/dev/null 2>&1; then
		iptables -w -t "$1" -F LAB-CUT
	else
		iptables -w -t "$1" -N LAB-CUT
	fi
	local address
	for address in $LAB; do iptables -w -t "$1" -A LAB-CUT "$4" "$address" -j RETURN; done
	for address in $OTHERS; do iptables -w -t "$1" -A LAB-CUT "$4" "$address" -j DROP; done
	iptables -w -t "$1" -C "$2" "$3" eth0 -j LAB-CUT 2>/dev/null || iptables -w -t "$1" -I "$2" "$3" eth0 -j LAB-CUT
}
cut raw PREROUTING -i -s
cut mangle POSTROUTING -o -d
