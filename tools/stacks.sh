#!/usr/bin/env bash
# Prints the stacks of this repository as a JSON list: one for every Pulumi.<stack>.yaml but the lab's, whose machines are
# on somebody's own computer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stacks=()
for file in Pulumi.*.yaml; do
	stack=${file#Pulumi.}
	stack=${stack%.yaml}
	[ "$stack" = lab ] || stacks+=("\"$stack\"")
done
(
	IFS=,
	echo "[${stacks[*]}]"
)
