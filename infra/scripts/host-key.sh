#!/bin/sh
# Makes an SSH host key pair and prints the private half, for a machine that does not exist yet. The machine gets it with
# its user data; whoever connects knows the public half beforehand, so that even the first contact is verified.
# Runs where Pulumi runs.
set -eu

command -v ssh-keygen >/dev/null || {
	echo "host-key: ssh-keygen is not installed: install OpenSSH's client where Pulumi runs" >&2
	exit 1
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
ssh-keygen -q -t ed25519 -N '' -C swarm-scale -f "$directory/key"
cat "$directory/key"
