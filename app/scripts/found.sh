#!/usr/bin/env bash
# Has etcd begin, and names the store that begins the database. Runs once in the life of a stack. Where there is an etcd it changes nothing.
#
# Variables: MEMBER  the member of etcd that begins it
#            STORE   the store that begins the database, with the data that it has, if any
set -euo pipefail

workload_exec "$MEMBER" etcd-found.sh "$STORE" </dev/null || {
	workload_last_words "$MEMBER" >&2
	echo "found: $MEMBER could not begin etcd: what it says is above" >&2
	exit 1
}
