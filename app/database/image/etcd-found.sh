#!/usr/bin/env bash
# Has this member of etcd begin a new etcd, and names the store that begins the database. For the first deployment alone: where there is an
# etcd it only looks.
#
# Argument:  the store
# Variables: MEMBER  the member's name
#            ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY  how the members are asked, this one, too
set -euo pipefail

store=$1
if [ ! -d /var/lib/etcd/data/member ] && ! etcdctl --command-timeout 5s member list >/dev/null 2>&1; then
	touch /var/lib/etcd/found
fi
# named finds the store that is named, or names this one.
named() {
	founder=$(etcdctl --command-timeout 5s get --print-value-only /founder) || return 1
	[ -n "$founder" ] || etcdctl --command-timeout 5s put /founder "$store" >/dev/null
}

end=$((SECONDS + 120))
until named 2>/tmp/found-said; do
	if [ "$SECONDS" -ge "$end" ]; then
		echo "etcd-found: etcd does not answer after 120 s: $(tail -n 1 /tmp/found-said)" >&2
		exit 1
	fi
	sleep 1
done
if [ -n "$founder" ]; then
	echo "etcd-found: there is an etcd, whose database $founder began"
else
	echo "etcd-found: $MEMBER began etcd, and $store begins the database"
fi
