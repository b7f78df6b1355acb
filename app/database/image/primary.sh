#!/usr/bin/env bash
# Runs psql as the superuser in the server that takes writes, whichever store has it.
#
# Arguments: psql's
# Variables: ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY  how etcd is asked
set -euo pipefail

store=$(etcdctl --command-timeout 5s get --print-value-only /service/votes/leader)
if [ -z "$store" ]; then
	echo "primary: no store takes writes now" >&2
	exit 1
fi
exec psql --no-psqlrc --dbname "host=$store user=postgres dbname=postgres target_session_attrs=read-write connect_timeout=3 \
sslmode=verify-full sslrootcert=/tmp/tls/ca.crt sslcert=/tmp/tls/client.crt sslkey=/tmp/tls/client.key" "$@"
