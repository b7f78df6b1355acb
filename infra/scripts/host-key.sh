#!/bin/sh
# Makes an SSH host key for a machine that does not exist yet, and prints the private half. Runs where Pulumi runs.
#
# The machine gets the key with its user data. Clients know the public half in advance, so that even the first login is verified.
set -eu

command -v ssh-keygen >/dev/null || {
	echo "host-key: ssh-keygen is not installed: install OpenSSH's client where Pulumi runs" >&2
	exit 1
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
ssh-keygen -q -t ed25519 -N '' -C swarm-scale -f "$directory/key"
cat "$directory/key"
