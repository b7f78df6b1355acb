#!/bin/sh
# Runs a server once no other container uses the folder of its data.
#
# A swarm that has not heard of a node for a while starts the node's services anew when it is back, and only then ends the former containers.
# Two servers on one folder destroy it, and PostgreSQL's own check does not help: each is process 1 and takes the other for itself. The lock
# lasts as long as the server, which inherits it.
#
# Arguments: the folder, the server, its arguments
set -eu

folder=$1
shift
exec 9<"$folder"
if ! flock --nonblock 9; then
	trap 'exit 143' TERM INT
	echo "alone: waits until another container has left $folder"
	flock 9 &
	wait $!
	trap - TERM INT
fi
exec "$@"
