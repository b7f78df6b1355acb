#!/usr/bin/env bash
# Runs on a machine that existed before the stack, when the stack no longer wants it: takes away everything of the stack's
# that its engine has, and gives the engine its own configuration back. Docker itself stays, and so does the machine's name.
#
# With "create" as its argument, which is when a stack takes the machine, it only looks whether an earlier one left something.
#
# Variables: NODE_NAME   the node's name
#            LABEL       the label of what is the stack's
#            NOTES       where the node keeps what it has to remember
#            LOGIN_USER  the user that SSH logs in as
#            SWARM_SCALE_MACHINE  the machine's identity
set -euo pipefail
export DOCKER_HOST=unix:///var/run/docker.sock
ours=$NOTES

as_user() {
	if [ "$LOGIN_USER" = root ]; then "$@"; else sudo -H -u "$LOGIN_USER" "$@"; fi
}

# Volumes, images and networks may be used by something that is not the stack's: those stay, and it says so.
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
	# A machine with another identity than the one noted had its host key changed: the same stack goes on with its data.
	if [ "$(cat "$ours" 2>/dev/null || true)" != "$SWARM_SCALE_MACHINE" ]; then exit 0; fi
	left=$(
		docker ps --all --filter "label=$LABEL" --format 'container {{.Names}}'
		docker volume ls --filter "label=$LABEL" --format 'volume {{.Name}}'
	) || exit 0
	if [ -n "$left" ]; then
		cat >&2 <<END
give-back: $NODE_NAME still has what another deployment left there: it was off when that was destroyed, or that one's state is lost.
$(paste -sd , <<<"$left" | sed 's/,/, /g')
If none of it is needed, votes on the volumes included, clear it there, and run "pulumi up" again:
  sudo rm $ours; sudo docker ps -aq --filter label=$LABEL | xargs -r sudo docker rm -fv; sudo docker volume ls -q --filter label=$LABEL | xargs -r sudo docker volume rm
END
		exit 1
	fi
	exit 0
fi

if [ ! -e "$ours" ]; then
	echo "give-back: there is nothing of the stack's on $NODE_NAME"
	exit 0
fi
if docker info >/dev/null 2>&1; then
	mapfile -t containers < <(docker ps --all --quiet --filter "label=$LABEL")
	images=$(
		docker image ls --quiet --no-trunc --filter "label=$LABEL"
		[ "${#containers[@]}" -eq 0 ] || docker inspect --format '{{.Image}}' "${containers[@]}"
	)
	# By name, since an image with two names is not removed by its id.
	mapfile -t images < <(sort -u <<<"$images" | while read -r image; do
		[ -z "$image" ] || docker image inspect --format '{{range .RepoTags}}{{println .}}{{else}}{{println .Id}}{{end}}' "$image"
	done | grep . || true)
	[ "${#containers[@]}" -eq 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null
	mapfile -t volumes < <(docker volume ls --quiet --filter "label=$LABEL")
	take volume "${volumes[@]}"
	take image "${images[@]}"
else
	echo "give-back: the engine of $NODE_NAME does not run: its containers and images of the label $LABEL are still there" >&2
fi

if as_user docker context inspect swarm >/dev/null 2>&1; then
	as_user docker context use default >/dev/null 2>&1
	as_user docker context rm --force swarm >/dev/null
fi
if [ -d /run/systemd/system ]; then systemctl disable --quiet --now swarm-scale-containers 2>/dev/null || true; fi
for file in /etc/docker/daemon.json /etc/systemd/system/docker.service.d/swarm-scale.conf /etc/systemd/system/swarm-scale-containers.service; do
	rm -f "$file"
	if [ -e "$file.before-swarm-scale" ]; then mv "$file.before-swarm-scale" "$file"; fi
done
rm -rf /etc/swarm-scale /usr/local/lib/swarm-scale "$ours" "$ours"-*
if dpkg -s docker-ce >/dev/null 2>&1; then
	apt-mark unhold docker-ce docker-ce-cli containerd.io >/dev/null
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl restart docker
else
	service docker stop >/dev/null 2>&1 || true
	service docker start >/dev/null
fi
for _ in $(seq 120); do
	if docker info >/dev/null 2>&1; then break; fi
	sleep 0.5
done
# The engine made it for the containers on the overlay network, so that they reach the world, and may still count some there.
for endpoint in $(docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' docker_gwbridge 2>/dev/null); do
	docker network disconnect --force docker_gwbridge "$endpoint" 2>/dev/null || true
done
take network docker_gwbridge
echo "give-back: nothing of the stack's is left on $NODE_NAME"
