#!/usr/bin/env bash
# What the scripts share that look at how engines find each other: in the key-value store, where each of them announces itself.
# Stands in front of each of them. A STORE and an ENGINE are an address and a port.

# announced STORE lists the engines that are announced there, a line each.
announced() {
	curl -fsS --max-time 5 "http://$1/v1/kv/docker/nodes/?keys" 2>/dev/null | grep -o '[0-9.]*:[0-9]*"' | tr -d '"'
}

# is_announced STORE ENGINE
is_announced() { grep -qxF "$2" <<<"$(announced "$1")"; }

# announce_anew STORE ENGINE takes the engine off the store's list; within its heartbeat it announces itself.
announce_anew() { curl -fsS --max-time 5 -X DELETE "http://$1/v1/kv/docker/nodes/$2" >/dev/null; }

# listens ENGINE: on the port by which overlay networks find each other.
# shellcheck disable=SC2016  # the inner shell expands it
listens() { timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/7946"' "${1%:*}" 2>/dev/null; }
