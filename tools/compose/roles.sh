#!/usr/bin/env bash
# Sets the roles of compose.yaml's database as the cluster does, from a container on the database's own network. The image lets that
# address in without a password.
set -euo pipefail
export PGHOST=127.0.0.1

# The functions that the cluster gives to its script.
workload_exec() {
	shift
	"$@"
}
workload_last_words() { :; }

secret() { cat "/run/secrets/$1"; }
# shellcheck disable=SC2034 # the script reads them
DATABASE=pg POSTGRES_PASSWORD=$(secret postgres-password) WORKER_PASSWORD=$(secret worker-password) \
	RESULTS_PASSWORD=$(secret results-password) ROLES=$(cat /scripts/roles.sql)
# shellcheck source=app/scripts/roles.sh
. /scripts/roles.sh
