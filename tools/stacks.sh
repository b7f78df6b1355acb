#!/usr/bin/env bash
# Prints the stacks of this repository as a JSON list: one for every Pulumi.<stack>.yaml but the lab's, whose machines are
# on somebody's own computer. With a name as argument it prints that name, and fails unless the list has it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shopt -s nullglob

stacks=()
for file in Pulumi.*.yaml; do
	stack=${file#Pulumi.}
	stack=${stack%.yaml}
	if ! [[ $stack =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]]; then
		echo "stacks: $file: a stack's name has letters, digits, points, underscores and hyphens" >&2
		exit 1
	fi
	[ "$stack" = lab ] || stacks+=("$stack")
done

if [ $# -gt 0 ]; then
	for stack in "${stacks[@]}"; do
		if [ "$stack" = "$1" ]; then
			echo "$stack"
			exit 0
		fi
	done
	printf 'stacks: there is no stack %q: it is one of %s\n' "$1" "${stacks[*]}" >&2
	exit 1
fi
list=$(printf ',"%s"' "${stacks[@]}")
[ "${#stacks[@]}" -gt 0 ] || list=
echo "[${list#,}]"
