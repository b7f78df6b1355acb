#!/usr/bin/env bash
# Runs on a node each time its engine has started, as the service swarm-scale-containers: starts what of the stack's the engine
# tried to start and could not. The engine tries once; a container that never ran has no use of its restart policy.
#
# One such time is when all machines come back together, and this one before the key-value store, without which there is no
# overlay network: then it helps to try again. Another one is after a power cut: the engine wants to go on with the network
# as it was and, where that is gone, gives it up until it is started once more.
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

failed() {
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited --filter status=created |
		xargs -r docker inspect --format '{{if .State.Error}}{{.Id}} {{.Name}}: {{.State.Error}}{{end}}' | grep . || true
}
restart_engine() {
	if [ -d /run/systemd/system ]; then
		systemctl restart docker
	else
		service docker stop >/dev/null 2>&1 || true
		service docker start
	fi
}

end=$((SECONDS + 900))
restarted=no
while [ "$SECONDS" -lt "$end" ]; do
	if docker info >/dev/null 2>&1; then
		containers=$(failed)
		if [ -z "$containers" ]; then exit 0; fi
		echo "start-containers: not started:"
		echo "$containers"
		if [ "$restarted" = no ] && grep -q 'network sandbox' <<<"$containers"; then
			restarted=yes
			restart_engine
		else
			cut -d ' ' -f 1 <<<"$containers" | xargs docker start >/dev/null || true
		fi
	fi
	sleep 2
done
echo "start-containers: gave up after 15 minutes" >&2
exit 1
