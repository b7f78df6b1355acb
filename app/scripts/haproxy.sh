#!/usr/bin/env bash
# Writes the load balancer's configuration on its node and has the running process take it up without dropping a
# connection. With "delete" as its argument it takes the file away.
#
# Variables: FOLDER         where the configuration is
#            CONFIGURATION  the text of haproxy.cfg
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

if [ "$1" = delete ]; then
	rm -rf "$FOLDER"
	echo "haproxy: configuration gone"
	exit 0
fi

mkdir -p "$FOLDER"
# In two steps: the process never sees half a file.
printf '%s' "$CONFIGURATION" >"$FOLDER/haproxy.cfg.new"
chmod 0644 "$FOLDER/haproxy.cfg.new"
running=$(docker ps --quiet --filter name='^haproxy$')
if [ -n "$running" ]; then
	docker exec haproxy haproxy -c -q -f /usr/local/etc/haproxy/haproxy.cfg.new || {
		echo "haproxy: the running process refuses the new configuration, and goes on with the old one" >&2
		exit 1
	}
fi
mv "$FOLDER/haproxy.cfg.new" "$FOLDER/haproxy.cfg"
if [ -n "$running" ]; then
	# Not by "docker kill": whatever the signal, this engine then takes the container for one that was stopped on purpose,
	# and no longer restarts it when it dies.
	docker exec haproxy sh -c 'kill -HUP 1'
	echo "haproxy: reloaded with $(grep -c '^[[:space:]]*server ' "$FOLDER/haproxy.cfg") frontends"
else
	echo "haproxy: configuration written"
fi
