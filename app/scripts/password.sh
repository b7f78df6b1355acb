#!/usr/bin/env bash
# Waits until the database accepts logins, and sets the password of the stack's settings. The image reads its password variable
# only while there is no data. A password that changes later would lock everybody out.
#
# Variables: DATABASE  the database's workload
#            PASSWORD  the password
set -euo pipefail
export -n PASSWORD

end=$((SECONDS + 120))
# By TCP: while the image initialises its data, it runs a temporary server that listens only on a Unix socket.
until workload_exec "$DATABASE" pg_isready --quiet --host 127.0.0.1 --username postgres </dev/null 2>/dev/null; do
	if [ "$SECONDS" -ge "$end" ]; then
		workload_last_words "$DATABASE" >&2
		echo "password: $DATABASE does not accept logins after 120 s (the end of its log is above)" >&2
		exit 1
	fi
	sleep 0.5
done
# The password is the first line of the standard input. So no command line and no log has it.
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
echo "password: $DATABASE accepts logins with the password of the settings"
