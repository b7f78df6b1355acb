#!/usr/bin/env bash
# Runs psql as the superuser in the server that takes writes, whichever store has it.
#
# Arguments: psql's
# Variables: STORES  the stores' names, separated by spaces
set -euo pipefail
exec psql --no-psqlrc --dbname "host=${STORES// /,} user=postgres dbname=postgres target_session_attrs=read-write connect_timeout=3 \
sslmode=verify-full sslrootcert=/tmp/tls/ca.crt sslcert=/tmp/tls/client.crt sslkey=/tmp/tls/client.key" "$@"
