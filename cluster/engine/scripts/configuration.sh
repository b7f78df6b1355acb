#!/usr/bin/env bash
# Writes a workload's configuration on its node. A workload that runs checks the file first and then follows it. With "delete"
# as its argument it takes the file away.
#
# Variables: CONTAINER  the workload's container
#            FOLDER     where the file is on the node, alone
#            INSIDE     where the container has that folder
#            FILE       the file's name
#            CONTENT    its text
#            CHECK      a command that checks the file named behind it, in the container, quoted for the shell; empty: none
#            RELOAD     a command that has the container take up the file, quoted for the shell; empty: it looks for itself
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

if [ "$1" = delete ]; then
	rm -rf "$FOLDER"
	echo "configuration: $CONTAINER's is gone"
	exit 0
fi

in_container() { docker exec "$CONTAINER" "$@"; }

mkdir -p "$FOLDER"
# In two steps, so that the workload never sees half a file.
printf '%s' "$CONTENT" >"$FOLDER/$FILE.new"
chmod 0644 "$FOLDER/$FILE.new"
running=$(docker ps --quiet --filter "name=^$CONTAINER\$")
if [ -n "$running" ] && [ -n "$CHECK" ]; then
	eval "in_container $CHECK \"\$INSIDE/\$FILE.new\"" || {
		echo "configuration: $CONTAINER refuses the new $FILE, and goes on with the old one" >&2
		exit 1
	}
fi
mv "$FOLDER/$FILE.new" "$FOLDER/$FILE"
if [ -z "$running" ]; then
	echo "configuration: $CONTAINER's $FILE is written"
	exit 0
fi
if [ -n "$RELOAD" ]; then eval "in_container $RELOAD"; fi
echo "configuration: $CONTAINER follows the new $FILE"
