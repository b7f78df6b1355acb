#!/usr/bin/env bash
# A function about where Consul is. Other scripts begin with it.

# consul_node CONSUL prints the address of Consul's node. Where each node has an agent, that is the leader's.
consul_node() {
	case $1 in
	127.*) curl -fsS --max-time 5 "http://$1/v1/status/leader" 2>/dev/null | tr -d '"' | sed 's|:[0-9]*$||' ;;
	*) printf '%s\n' "${1%:*}" ;;
	esac
}
