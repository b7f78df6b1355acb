#!/usr/bin/env bash
# Functions that stop and start a node's engine. Other scripts begin with them.

stop_engine() {
	if [ -d /run/systemd/system ]; then
		systemctl stop docker.socket docker 2>/dev/null || systemctl stop docker
	else
		service docker stop >/dev/null 2>&1 || true
	fi
}

start_engine() {
	if [ -d /run/systemd/system ]; then systemctl start docker; else service docker start; fi
}

# restart_engine does not use the service's own "restart": some init scripts silently start nothing if no engine was running.
restart_engine() {
	stop_engine
	start_engine
}

# await_engine waits until the engine answers, for at most a minute. curl is cheaper than docker where several scripts wait.
await_engine() {
	local end=$((SECONDS + 60))
	until curl -fsS --max-time 5 --unix-socket /var/run/docker.sock http://engine/_ping >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.5
	done
}
