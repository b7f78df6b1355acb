#!/usr/bin/env bash
# Waits until the swarm reports every member ready, gives each its role, and notes its machine. Fails with the names of those that are not
# ready.
#
# Variables: MEMBERS   the members' names, separated by spaces
#            MANAGERS  the names of those that manage the swarm, separated by spaces
#            MACHINES  the members, one a line: name and identity of the machine
#            WAIT      how many seconds to wait at most
# Functions: nodes, in_sequence, note_machine
set -euo pipefail

end=$((SECONDS + WAIT))
while :; do
	known=$(nodes) || known=
	missing=
	for member in $MEMBERS; do
		awk -v name="$member" '$2 == name && $3 == "ready" { found = 1 } END { exit !found }' <<<"$known" || missing="$missing $member"
	done
	if [ -z "$missing" ]; then break; fi
	if [ "$SECONDS" -ge "$end" ]; then
		cat >&2 <<END
members: after $WAIT s the swarm does not report ready:$missing
Log in there ("pulumi stack output ssh" has the commands) and look at "docker info" and "sudo systemctl status docker".
END
		exit 1
	fi
	sleep 0.5
done

# New managers are there before former ones go.
managers_first=$(awk -v managers=" $MANAGERS " '
	index(managers, " " $2 " ") { print; next }
	{ rest = rest $0 "\n" }
	END { printf "%s", rest }' <<<"$known")
while read -r id name state role machine; do
	if [ "$state" != ready ]; then continue; fi
	wanted=worker
	case " $MANAGERS " in *" $name "*) wanted=manager ;; esac
	if [ "$role" != "$wanted" ]; then
		in_sequence docker node update --role "$wanted" "$id"
		echo "members: $name is a $wanted now"
	fi
	identity=$(awk -v name="$name" '$1 == name { sub(/^[^ ]* /, ""); print }' <<<"$MACHINES")
	if [ "$machine" != "$identity" ]; then note_machine "$id" "$identity"; fi
done <<<"$managers_first"
echo "members: all ready: $MEMBERS"
