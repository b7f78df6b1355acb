#!/usr/bin/env bash
# Functions about the engines that are announced in Consul. Other scripts begin with them. CONSUL and ENGINE are an address and a
# port each.

# announced CONSUL lists the announced engines, one a line.
announced() {
	curl -fsS --max-time 5 "http://$1/v1/kv/docker/nodes/?keys" 2>/dev/null | grep -o '[0-9.]*:[0-9]*"' | tr -d '"'
}

# is_announced CONSUL ENGINE succeeds if the engine is announced.
is_announced() { grep -qxF "$2" <<<"$(announced "$1")"; }

# announce_anew CONSUL ENGINE removes the engine from Consul's list. The engine announces itself again with its next heartbeat.
announce_anew() { curl -fsS --max-time 5 -X DELETE "http://$1/v1/kv/docker/nodes/$2" >/dev/null; }

# listens ENGINE succeeds if the engine listens on the gossip port.
# shellcheck disable=SC2016  # the inner shell expands it
listens() { timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "${1%:*}" "$GOSSIP_PORT" 2>/dev/null; }
