#!/usr/bin/env bash
# Stands in front of every script on a node. Whatever the machine and the login user have set, the scripts rely on this.
set -euo pipefail
exec </dev/null
umask 022

# Nothing of the login's environment is kept: locale, Docker's and curl's own variables change what commands do and print. A proxy
# leads to the internet, not to the other nodes. "outside COMMAND…" runs a command that goes to the internet.
proxies=()
while read -r name; do
	case $name in
	*_proxy | *_PROXY) proxies+=("$name=${!name}") ;;
	HOME) continue ;;
	esac
	unset "$name" 2>/dev/null || true # bash keeps its own SHELLOPTS
done < <(compgen -e)
unset name
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
outside() { env "${proxies[@]}" "$@"; }

# Without -q curl reads .curlrc, which may name a proxy, too.
curl() { command curl -q "$@"; }
