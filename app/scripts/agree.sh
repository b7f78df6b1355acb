#!/usr/bin/env bash
# Tells all stores alike what holds for them, by etcd. Patroni reads it every few seconds.
#
# Variables: MEMBER  the member of etcd that is asked
#            KEY     the key under which Patroni looks
#            AGREED  what holds, as JSON
set -euo pipefail

end=$((SECONDS + 120))
until said=$(printf '%s' "$AGREED" | workload_exec "$MEMBER" etcdctl --command-timeout 5s put "$KEY" 2>&1); do
	if [ "$SECONDS" -ge "$end" ]; then
		echo "agree: etcd takes no orders after 120 s, because most of its members are away: $said" >&2
		echo "Start their machines. If they are lost for good, docs/operations.md says under \"Several stores\" what to do." >&2
		exit 1
	fi
	sleep 1
done
echo "agree: the stores are told"
