#!/usr/bin/env bash
# Runs on a node each time its engine has started, as the service swarm-scale-containers: starts what of the stack's the engine
# tried to start and could not. The engine tries once; a container that never ran has no use of its restart policy.
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock

failed() {
	docker ps --all --quiet --filter label=swarm-scale --filter status=exited --filter status=created |
		xargs -r docker inspect --format '{{if .State.Error}}{{.Id}} {{.Name}}: {{.State.Error}}{{end}}' | grep . || true
}

mended=no
for _ in $(seq 300); do
	await_engine || exit 1
	containers=$(failed)
	if [ -z "$containers" ]; then exit 0; fi
	echo "start-containers: not started:"
	echo "$containers"
	if [ "$mended" = no ] && grep -q 'network sandbox' <<<"$containers"; then
		# After a power cut the engine wants to go on with the overlay network as its own notes have it and, not finding
		# that, can neither use the network nor forget the notes. They hold nothing that it does not make anew, apart from
		# networks that somebody else made on this machine.
		mended=yes
		data=$(docker info --format '{{.DockerRootDir}}')
		stop_engine
		rm -f "${data:?}/network/files/local-kv.db"
		start_engine
	else
		# When all machines come back together, this one may be there before the key-value store, without which there is no
		# overlay network: then it helps to try again.
		cut -d ' ' -f 1 <<<"$containers" | xargs docker start >/dev/null || true
		sleep 3
	fi
done
echo "start-containers: gave up" >&2
exit 1
