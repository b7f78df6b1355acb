#!/usr/bin/env bash
# Makes the secrets of compose.yaml that are not there. They stay the same: the application's data knows them. Those that an earlier
# version kept in the file of Compose's variables move here.
#
# The folder keeps other users of this machine out. The files in it can be read by everybody, because Compose mounts them as they
# are, and the programs have users of their own in their containers.
#
# Usage: tools/compose/secrets.sh FOLDER VARIABLES
set -euo pipefail

folder=$1 variables=$2
mkdir -p "$folder"
chmod 0700 "$folder"

# secret NAME VARIABLE COMMAND… makes the file NAME from the former VARIABLE or, without one, from the command's output.
secret() {
	local file=$folder/$1 variable=$2 former=
	shift 2
	if [ -s "$file" ]; then return; fi
	if [ -n "$variable" ] && [ -e "$variables" ]; then former=$(sed -n "s/^$variable=//p" "$variables"); fi
	if [ -n "$former" ]; then printf '%s\n' "$former"; else "$@"; fi >"$file.new"
	chmod 0444 "$file.new"
	mv "$file.new" "$file"
}

secret postgres-password POSTGRES_PASSWORD openssl rand -hex 16
secret voter-key VOTER_KEY openssl rand -base64 32
secret worker-password "" openssl rand -hex 16
secret results-password "" openssl rand -hex 16
secret redis-password "" openssl rand -hex 16
secret redis.conf "" sed 's/^/requirepass /; a save ""' "$folder/redis-password"
if [ -e "$variables" ]; then
	sed -i.before -e '/^POSTGRES_PASSWORD=/d' -e '/^VOTER_KEY=/d' "$variables"
	rm -f "$variables.before"
fi
