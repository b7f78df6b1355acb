#!/usr/bin/env bash
# What scripts share that look at how engines find each other: each engine announces itself in Consul. Stands in front of each
# of them. A CONSUL and an ENGINE are an address and a port.

# announced CONSUL lists the engines that are announced there, a line each.
announced() {
	curl -fsS --max-time 5 "http://$1/v1/kv/docker/nodes/?keys" 2>/dev/null | grep -o '[0-9.]*:[0-9]*"' | tr -d '"'
}

# is_announced CONSUL ENGINE
is_announced() { grep -qxF "$2" <<<"$(announced "$1")"; }

# announce_anew CONSUL ENGINE takes the engine off Consul's list. The engine announces itself again within its heartbeat.
announce_anew() { curl -fsS --max-time 5 -X DELETE "http://$1/v1/kv/docker/nodes/$2" >/dev/null; }

# listens ENGINE: on the port by which overlay networks find each other.
# shellcheck disable=SC2016  # the inner shell expands it
listens() { timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "${1%:*}" "$GOSSIP_PORT" 2>/dev/null; }
