#!/usr/bin/env bash
# Waits until the database accepts logins, and sets its roles: their passwords, their rights, and what they own. The image reads its
# password only while there is no data. A password that changes later would lock everybody out.
#
# Variables: DATABASE           the database's workload
#            POSTGRES_PASSWORD  the superuser's password
#            WORKER_PASSWORD    the password of the workers' role
#            RESULTS_PASSWORD   the password of the results pages' role
#            ROLES              the text of roles.sql
#            READY              a command in the workload that succeeds once it accepts logins; empty: the stock server's
#            PSQL               a command in the workload that runs psql as the superuser; empty: the stock server's
set -euo pipefail
export -n POSTGRES_PASSWORD WORKER_PASSWORD RESULTS_PASSWORD

# By TCP: while the image initialises its data, it runs a temporary server that listens only on a Unix socket.
read -ra ready <<<"${READY:-pg_isready --quiet --host 127.0.0.1 --username postgres}"
read -ra psql <<<"${PSQL:-psql --username postgres --dbname postgres}"
end=$((SECONDS + 120))
until workload_exec "$DATABASE" "${ready[@]}" </dev/null >/dev/null 2>&1; do
	if [ "$SECONDS" -ge "$end" ]; then
		workload_last_words "$DATABASE" >&2
		echo "roles: $DATABASE does not accept logins after 120 s (the end of its log is above)" >&2
		exit 1
	fi
	sleep 0.5
done

# quoted quotes its standard input for psql's \set.
quoted() { sed -e 's/\\/\\\\/g' -e "s/'/''/g" -e "s/^/'/" -e "s/\$/'/"; }

# The passwords go in by the standard input. So no command line, no environment and no log has them.
{
	printf "%s\n" "\\encoding UTF8"
	printf '\\set postgres_password %s\n' "$(printf '%s\n' "$POSTGRES_PASSWORD" | quoted)"
	printf '\\set worker_password %s\n' "$(printf '%s\n' "$WORKER_PASSWORD" | quoted)"
	printf '\\set results_password %s\n' "$(printf '%s\n' "$RESULTS_PASSWORD" | quoted)"
	printf '%s\n' "$ROLES"
} | workload_exec "$DATABASE" "${psql[@]}" --quiet --no-psqlrc --set ON_ERROR_STOP=1 >/dev/null
echo "roles: $DATABASE accepts logins of its roles with their passwords"
