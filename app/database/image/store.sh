#!/usr/bin/env bash
# Runs a store: Patroni, which runs PostgreSQL. It starts once etcd says that the database has begun, or that this store is the one to begin
# it. So no store ever begins an empty database beside one with votes.
#
# Variables: STORE   the store's name
#            PGDATA  the folder of its data
#            ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY  how etcd is asked
set -euo pipefail

begun=/service/votes/initialize # has the database's ID; empty while it is being made
founder=/founder                # has the name of the store that may begin it

say() { echo "store: $*"; }

# PostgreSQL takes no key that a group may read.
install -d -m 0700 /tmp/tls
install -m 0400 /run/secrets/*.crt /run/secrets/*.key /tmp/tls
chmod 0700 "$PGDATA"

# forget removes what is in the folder of data. The folder itself is a volume.
forget() { find "$PGDATA" -mindepth 1 -delete; }

touch /tmp/waits # it is well meanwhile
said=
while :; do
	# Both keys as of one moment, each with its value on a second line.
	if keys=$(etcdctl --command-timeout 5s get "$begun" 2>/tmp/said) && named=$(etcdctl --command-timeout 5s get --print-value-only "$founder" 2>/tmp/said); then
		id=$(sed -n 2p <<<"$keys")
		if [ -n "$id" ]; then
			# A copy that was cut short has no control file, because that comes last. Patroni would leave it as it is.
			if [ ! -e "$PGDATA/global/pg_control" ]; then forget; fi
			say "the database $id has begun"
			break
		fi
		if [ "$named" = "$STORE" ]; then
			# The making of an empty database was cut short. Nobody could log in to it yet.
			if [ -n "$keys" ]; then
				forget
				etcdctl --command-timeout 5s del "$begun" >/dev/null
			fi
			say "$STORE begins the database"
			break
		fi
		now="the database has not begun, and ${named:-nobody} is the one to begin it"
	else
		now="etcd does not answer: $(tail -n 1 /tmp/said)"
	fi
	[ "$now" = "$said" ] || say "$now"
	said=$now
	sleep 1
done
rm -f /tmp/waits
export PATRONI_POSTGRESQL_BIN_DIR=/usr/lib/postgresql/$PG_MAJOR/bin
exec patroni "$PATRONICTL_CONFIG_FILE"
