#!/usr/bin/env bash
# Stands in front of every script on a node. Whatever the machine and the login user have set, the scripts rely on this.
set -euo pipefail
exec </dev/null
umask 022

# Pulumi's docker provider logs in in the same way, and runs docker there. These variables lead it to another engine.
for name in DOCKER_HOST DOCKER_CONTEXT; do
	case ${!name-} in
	'' | unix:///var/run/docker.sock | unix:///run/docker.sock | default) ;;
	*)
		echo "the login on this machine has $name=${!name}, so Pulumi would talk to another engine than the machine's own: remove $name from /etc/environment, or where else it is set there" >&2
		exit 1
		;;
	esac
done

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
