#!/usr/bin/env bash
# Gives an existing machine back when it leaves the stack: takes it out of its swarm, removes the stack's containers, volumes and images,
# and restores the engine's configuration. Docker stays installed. The machine keeps its new name.
#
# With the argument "create", when the machine joins a stack, the script only fails if another deployment left something there.
#
# Variables: NODE_NAME            the node's name
#            LABEL                the label of the stack's containers and volumes
#            NOTES                the node's file of state between runs
#            LOGIN_USER           the user that SSH logs in as
#            SWARM_SCALE_MACHINE  the machine's identity
# Functions: as_user, restart_engine, await_engine
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock
ours=$NOTES

# take KIND ITEM… removes volumes, images or networks. One that something else uses stays, with a message.
take() {
	local kind=$1 item
	shift
	for item in "$@"; do
		docker "$kind" inspect "$item" >/dev/null 2>&1 || continue
		docker "$kind" rm "$item" >/dev/null 2>&1 || {
			echo "give-back: $NODE_NAME keeps the $kind $item, which something else uses" >&2
		}
	done
}

if [ "$1" = create ]; then
	# With another identity the machine only has a new host key. The same stack goes on with its data.
	if [ "$(cat "$ours" 2>/dev/null || true)" != "$SWARM_SCALE_MACHINE" ]; then exit 0; fi
	left=$(
		docker ps --all --filter "label=$LABEL" --format 'container {{.Names}}'
		docker volume ls --filter "label=$LABEL" --format 'volume {{.Name}}'
	) || exit 0
	if [ -n "$left" ]; then
		cat >&2 <<END
give-back: $NODE_NAME still has what another deployment left there. It was off when that was destroyed, or that one's state is lost.
$(paste -sd , <<<"$left" | sed 's/,/, /g')
If you need none of it, nor the votes on the volumes, run this line there, and then "pulumi up" again:
  sudo rm $ours; sudo docker ps -aq --filter label=$LABEL | xargs -r sudo docker rm -fv; sudo docker volume ls -q --filter label=$LABEL | xargs -r sudo docker volume rm
END
		exit 1
	fi
	exit 0
fi

if [ ! -e "$ours" ]; then
	echo "give-back: $NODE_NAME has nothing of the stack"
	exit 0
fi
if docker info >/dev/null 2>&1; then
	mapfile -t containers < <(docker ps --all --quiet --filter "label=$LABEL")
	# Those of the containers, those that are built here, and those that these are built on.
	images=$(docker image ls --quiet --no-trunc --filter "label=$LABEL")
	images+=$'\n'$(
		xargs -r docker image inspect --format "{{index .Config.Labels \"$LABEL.base\"}}" <<<"$images"
		[ "${#containers[@]}" -eq 0 ] || docker inspect --format '{{.Image}}' "${containers[@]}" || true
	)
	# An image may ask for volumes that have no label. An engine that leaves its swarm keeps them.
	mapfile -t volumes < <([ "${#containers[@]}" -eq 0 ] ||
		docker inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' "${containers[@]}" | grep .)
	# An engine that leaves its swarm removes the swarm's containers itself, some of them a little later.
	docker swarm leave --force >/dev/null 2>&1 || true # it may be in none
	# By name, because an image with two names cannot be removed by its ID.
	mapfile -t images < <(sort -u <<<"$images" | while read -r image; do
		[ -z "$image" ] || docker image inspect --format '{{range .RepoTags}}{{println .}}{{else}}{{println .Id}}{{end}}' "$image" 2>/dev/null
	done | grep . || true)
	[ "${#containers[@]}" -eq 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null 2>&1 || true
	mapfile -t containers < <(docker ps --all --quiet --filter "label=$LABEL")
	[ "${#containers[@]}" -eq 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null || [ -z "$(docker ps --all --quiet --filter "label=$LABEL")" ]
	mapfile -t -O "${#volumes[@]}" volumes < <(docker volume ls --quiet --filter "label=$LABEL")
	take volume "${volumes[@]}"
	take image "${images[@]}"
else
	echo "give-back: the engine of $NODE_NAME does not run, so containers, volumes and images with the label $LABEL stay there" >&2
fi

if as_user docker context inspect swarm >/dev/null 2>&1; then
	as_user docker context use default >/dev/null 2>&1
	as_user docker context rm --force swarm >/dev/null
fi
if [ -d /run/systemd/system ]; then systemctl disable --quiet --now swarm-scale-containers 2>/dev/null || true; fi
for file in /etc/docker/daemon.json /etc/systemd/system/docker.service.d/swarm-scale.conf /etc/systemd/system/docker.service.d/swarm-scale-start.conf \
	/etc/systemd/system/swarm-scale-containers.service; do
	rm -f "$file"
	if [ -e "$file.before-swarm-scale" ]; then mv "$file.before-swarm-scale" "$file"; fi
done
rm -rf /etc/swarm-scale /usr/local/lib/swarm-scale "$ours" "$ours"-*
if dpkg -s docker-ce >/dev/null 2>&1; then
	apt-mark unhold docker-ce docker-ce-cli containerd.io >/dev/null
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
restart_engine
await_engine || true
# The engine made docker_gwbridge to connect containers on the overlay network to the outside. It may still list removed ones.
for endpoint in $(docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' docker_gwbridge 2>/dev/null); do
	docker network disconnect --force docker_gwbridge "$endpoint" 2>/dev/null || true
done
take network docker_gwbridge
echo "give-back: $NODE_NAME is cleared"
