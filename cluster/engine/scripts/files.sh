#!/usr/bin/env bash
# Functions that write a workload's files on its node. Other scripts begin with them.
#
# The group root may read them, too: a program that begins as root and has no capabilities left could not read them otherwise.

# make_folder FOLDER OWNER makes the folder of a workload's files. It is mounted in the workload. On the node, nobody but root
# gets into the folder around it, whatever other user has the owner's number there.
make_folder() {
	install -d -m 0700 "$(dirname "$1")"
	install -d -m 0550 -o "$2" -g 0 "$1"
}

# write_file FILE OWNER writes the standard input into a new file that its owner and root alone can read.
write_file() {
	rm -f "$1"
	(umask 077 && cat >"$1")
	chown "$2:0" "$1"
	chmod 0440 "$1"
}
