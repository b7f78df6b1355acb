#!/usr/bin/env bash
# Writes a workload's configuration on its node. A running workload checks the new file first, and then reads it. With the argument
# "delete" the script removes the file.
#
# Variables: CONTAINER  the workload's container
#            FOLDER     the file's folder on the node
#            OWNER      the ID of the workload's user
#            INSIDE     that folder in the container
#            FILE       the file's name
#            CONTENT    its text
#            CHECK      a command in the container that checks the file named as last argument, quoted for the shell; empty: none
#            RELOAD     a command in the container that makes it read the file, quoted for the shell; empty: none
# Functions: make_folder, write_file
set -euo pipefail
export -n CONTENT
export DOCKER_HOST=unix:///var/run/docker.sock

if [ "$1" = delete ]; then
	rm -rf "$FOLDER"
	echo "configuration: removed $CONTAINER's"
	exit 0
fi

in_container() { docker exec "$CONTAINER" "$@"; }

make_folder "$FOLDER" "$OWNER"
# A new file, then a rename: the workload never sees half a file.
printf '%s' "$CONTENT" | write_file "$FOLDER/$FILE.new" "$OWNER"
running=$(docker ps --quiet --filter "name=^$CONTAINER\$")
if [ -n "$running" ] && [ -n "$CHECK" ]; then
	eval "in_container $CHECK \"\$INSIDE/\$FILE.new\"" || {
		echo "configuration: $CONTAINER refuses the new $FILE and keeps the old one" >&2
		exit 1
	}
fi
mv "$FOLDER/$FILE.new" "$FOLDER/$FILE"
if [ -z "$running" ]; then
	echo "configuration: wrote $CONTAINER's $FILE"
	exit 0
fi
if [ -n "$RELOAD" ]; then
	eval "in_container $RELOAD" || {
		echo "configuration: $CONTAINER does not take all of the new $FILE: what it says is above" >&2
		exit 1
	}
fi
echo "configuration: wrote $CONTAINER's $FILE, and $CONTAINER reads it"
