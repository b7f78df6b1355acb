#!/usr/bin/env bash
# Runs on a machine of the lab. It undoes cut.sh, if that ran.
set -euo pipefail

# join TABLE CHAIN DIRECTION
join() {
	iptables -w -t "$1" -nL LAB-CUT >/dev/null 2>&1 || return 0
	iptables -w -t "$1" -D "$2" "$3" eth0 -j LAB-CUT 2>/dev/null || true # an interrupted cut.sh may not have got there
	iptables -w -t "$1" -F LAB-CUT
	iptables -w -t "$1" -X LAB-CUT
}
join raw PREROUTING -i
join mangle POSTROUTING -o
