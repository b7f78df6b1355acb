#!/usr/bin/env bash
# Waits until the database takes logins, and gives its user the password of the stack's settings: the image looks at its own
# variable only when there is no data yet, so that a password changed later would lock everybody out. Runs on the store.
#
# Variables: CONTAINER  the database's container
#            PASSWORD   the password
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

end=$((SECONDS + 120))
# By TCP: while it makes its data the image runs a database that listens on a socket only, and that goes away again.
until docker exec "$CONTAINER" pg_isready --quiet --host 127.0.0.1 --username postgres 2>/dev/null; do
	if [ "$SECONDS" -ge "$end" ]; then
		docker logs --tail 20 "$CONTAINER" >&2 || true
		echo "password: $CONTAINER does not take logins after 120 s (its last words are above)" >&2
		exit 1
	fi
	sleep 0.5
done
# The password stands in no command line and in no log.
NEW_PASSWORD=$PASSWORD docker exec --interactive --env NEW_PASSWORD "$CONTAINER" \
	psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres >/dev/null <<'END'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\set password `printenv NEW_PASSWORD`
ALTER ROLE postgres PASSWORD :'password';
END
echo "password: $CONTAINER takes logins with the password of the settings"
