#!/usr/bin/env bash
# Functions about the machine itself. Other scripts begin with them. Each reads all that a command prints, and compares whole names.

# has_address ADDRESS succeeds if an interface has the IPv4 address.
has_address() {
	ip -o -4 address show | awk -v wanted="$1" '{ split($4, own, "/"); if (own[1] == wanted) found = 1 } END { exit !found }'
}

# as_user COMMAND… runs a command as the user that SSH logs in as, LOGIN_USER.
as_user() {
	if [ "$LOGIN_USER" = root ]; then "$@"; else sudo -H -u "$LOGIN_USER" "$@"; fi
}

# member_of GROUP USER succeeds if the user is in the group.
member_of() {
	local groups
	groups=" $(id -nG "$2") "
	[[ $groups == *" $1 "* ]]
}

# name_host NAME FILE adds the machine's own name to a file of hosts, unless the file has it.
name_host() {
	if [ -e "$2" ] && awk -v wanted="$1" '
		{ sub(/#.*/, ""); for (field = 2; field <= NF; field++) if ($field == wanted) found = 1 }
		END { exit !found }' "$2"; then
		return
	fi
	if [ -s "$2" ] && [ -n "$(tail -c 1 "$2")" ]; then echo >>"$2"; fi # the last line has no end
	printf '127.0.1.1 %s\n' "$1" >>"$2"
}
