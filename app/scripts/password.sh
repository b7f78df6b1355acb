#!/usr/bin/env bash
# Waits until the database takes logins, and gives its user the password of the stack's settings. The image looks at its own
# variable only when there is no data yet, so a password that is changed later would lock everybody out.
#
# Variables: DATABASE  the database's workload
#            PASSWORD  the password
set -euo pipefail

end=$((SECONDS + 120))
# By TCP: while the image makes its data it runs a database that listens on a socket only, and that goes away again.
until workload_exec "$DATABASE" pg_isready --quiet --host 127.0.0.1 --username postgres </dev/null 2>/dev/null; do
	if [ "$SECONDS" -ge "$end" ]; then
		workload_last_words "$DATABASE" >&2
		echo "password: $DATABASE does not take logins after 120 s (its last words are above)" >&2
		exit 1
	fi
	sleep 0.5
done
# The password is the first line of the standard input: it stands in no command line and in no log.
{
	printf '%s\n' "$PASSWORD"
	cat <<'END'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\set password `printenv NEW_PASSWORD`
ALTER ROLE postgres PASSWORD :'password';
END
} | workload_exec "$DATABASE" sh -c 'IFS= read -r NEW_PASSWORD && export NEW_PASSWORD && exec "$@"' sh \
	psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres >/dev/null
echo "password: $DATABASE takes logins with the password of the settings"
