# What the scripts of the steps by hand share. They source it.
#
# Usage of each: SCRIPT [LAB-FOLDER]        default: .lab
#                SCRIPT [LAB-FOLDER] undo   removes everything again
#
# It sets: folder   the lab's folder
#          undo     whether everything is to be removed again
#          programs the folder with each program and its Dockerfile
# begin sets, besides: key, password  the secrets
# shellcheck shell=bash disable=SC2034  # the scripts use what is set here

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$here/.lab
if [ $# -gt 0 ] && [ "$1" != undo ]; then
	folder=$(realpath "$1")
	shift
fi
undo=no
if [ "${1:-}" = undo ]; then undo=yes; fi
cd "$here" || exit 1
[ -r "$folder/ssh_config" ] || {
	echo "there is no lab in $folder: bring it up first (make lab-up)" >&2
	exit 1
}

address() { awk -v host="$1" '$1 == "Host" { name = $2 } $1 == "HostName" && name == host { print $2 }' "$folder/ssh_config"; }
image() { sed -n "/^  $1:/,/default:/s/^ *default: //p" Pulumi.yaml; }
on() { ssh -F "$folder/ssh_config" "$@"; }

nodes=(manager interlock frontend01 frontend02 worker01 store)
members=(frontend01 frontend02 worker01 store)
manager=$(address manager)

# build_programs builds them on the operator's machine, as `pulumi up` does. The time counts for neither.
programs=$folder/by-hand
build_programs() {
	local program
	for program in web-vote-app vote-worker results-app; do
		mkdir -p "$programs/$program"
		CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$programs/$program/$program" "./cmd/$program"
		cp "cmd/$program/Dockerfile" "$programs/$program/"
	done
}

# begin builds the programs, makes the secrets, and starts the clock.
begin() {
	build_programs
	key=$(openssl rand -base64 32)
	password=pg8675309
	begun=$(now)
}

now() { date +%s%N; }
seconds() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%6.1f s", (to - from) / 1e9 }'; }

# step TITLE COMMAND… runs a command and says how long it took.
step() {
	local title=$1 start
	shift
	start=$(now)
	"$@" >"$folder/by-hand.log" 2>&1 || {
		cat "$folder/by-hand.log" >&2
		echo "failed: $title" >&2
		exit 1
	}
	echo "$(seconds "$start")  $title"
}

# until_true COMMAND… waits for a command to succeed, for at most $patience seconds.
patience=120
until_true() {
	local end=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "failed for $patience s: $*" >&2
			return 1
		}
		sleep 0.2
	done
}

answers() { curl -fsS --max-time 2 -H 'Host: votingapp.local' "http://$(address interlock)/" -o /dev/null; }

# finish casts a vote, says whether it is counted, and prints the sum of the steps since begin.
finish() {
	local sum
	sum=$(seconds "$begun")
	jar=$(mktemp)
	trap 'rm -f "$jar"' EXIT
	step "cast a vote (not in the sum)" until_true cast
	# Nothing repairs the network between nodes that were set up by hand, and it may not work.
	patience=45
	if until_true counted; then
		echo "           the vote was counted"
	else
		echo "           the vote was not counted within $patience s"
	fi
	echo "$sum  all steps, one after another"
}
cast() {
	curl -fsS --max-time 5 -c "$jar" -b "$jar" -H 'Host: votingapp.local' "http://$(address interlock)/" -o /dev/null &&
		sleep 1.1 && # a ballot that is younger does not count
		curl -fsS --max-time 5 -c "$jar" -b "$jar" -H 'Host: votingapp.local' -d vote=a "http://$(address interlock)/" -o /dev/null
}
one_vote='"total":1[,}]'
counted() { [[ $(curl -fsS --max-time 5 "http://$(address store)/results.json") =~ $one_vote ]]; }
