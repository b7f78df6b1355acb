#!/usr/bin/env bash
# Runs a member of etcd. One without data joins the others, in place of a former member of its name. It begins a new etcd only if etcd-found.sh
# has said so, once. So members that lost their disks never make an empty one by themselves.
#
# Arguments: etcd's, all but those about how it begins
# Variables: MEMBER  its name
#            ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY  how the members are asked, this one, too
set -euo pipefail

data=/var/lib/etcd/data
own=/var/lib/etcd/id       # has this member's ID
founds=/var/lib/etcd/found # it is the one to begin
alone=/var/lib/etcd/alone  # it is the only one left
url=https://$MEMBER:2380

say() { echo "etcd-member: $*"; }

ask() { etcdctl --command-timeout 5s "$@"; }

# members prints the members' lines, as most of them know them: ID, state, name, URL, clients' URL, whether it is a learner.
members() { ask member list 2>/tmp/said; }

# field NUMBER prints a field of this member's line in the standard input.
field() { awk -F ', ' -v url="$url" -v number="$1" '$4 == url { print $number }'; }

# join makes this member a new one of those that there are. It counts for no majority until it has all data.
join() {
	local list id
	list=$(members) || return 1
	for id in $(field 1 <<<"$list"); do
		say "removes the former $MEMBER, $id"
		ask member remove "$id" >/dev/null || return 1
	done
	ask member add "$MEMBER" --learner --peer-urls="$url" >/tmp/joined || return 1
	cluster=$(sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p' /tmp/joined)
	say "joins $cluster"
}

# Others may have removed it while it was away, because another machine had its name.
if [ -d "$data" ] && [ -e "$own" ] && list=$(members) && ! grep -q "^$(cat "$own")," <<<"$list"; then
	say "is no member any more, and forgets what it knows"
	rm -rf "$data"
fi
beginning=()
if [ ! -d "$data/member" ]; then
	rm -rf "$data" "$own"
	touch /tmp/waits # it is well meanwhile
	said=
	while :; do
		if join; then
			beginning=("--initial-cluster=$cluster" --initial-cluster-state=existing)
			break
		fi
		if [ -e "$founds" ]; then
			say "begins a new etcd"
			beginning=("--initial-cluster=$MEMBER=$url" --initial-cluster-state=new)
			break
		fi
		now="waits until most of the others answer: $(tail -n 1 /tmp/said)"
		[ "$now" = "$said" ] || say "$now"
		said=$now
		sleep 1
	done
fi

# Somebody has said that the others are lost for good.
if [ -e "$alone" ] && [ -d "$data/member" ]; then
	say "goes on without the others, whom it forgets"
	beginning=(--force-new-cluster)
	rm -f "$alone"
fi

rm -f /tmp/waits
etcd --data-dir="$data" "$@" "${beginning[@]}" &
etcd=$!
trap 'kill -TERM "$etcd"' TERM INT

# settle notes this member's ID, and has the others promote it.
settle() {
	local list
	while :; do
		if list=$(members); then
			field 1 <<<"$list" >"$own.new"
			if [ -s "$own.new" ]; then
				mv "$own.new" "$own"
				rm -f "$founds"
				if [ "$(field 6 <<<"$list")" = false ]; then return; fi
				ask member promote "$(cat "$own")" >/dev/null 2>&1 || true # it may not have all data yet
			fi
		fi
		sleep 1
	done
}
settle &
settling=$!

# A signal ends the wait, and etcd a moment later.
status=0
while kill -0 "$etcd" 2>/dev/null; do
	status=0
	wait "$etcd" || status=$?
done
kill "$settling" 2>/dev/null || true
exit "$status"
