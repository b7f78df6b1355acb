#!/usr/bin/env bash
# Functions that run containers on a node's own engine. Other scripts begin with them.

own() { DOCKER_HOST=unix:///var/run/docker.sock docker "$@"; }

# have_image NAME IMAGE pulls the image unless the engine has it. NAME is for the message.
have_image() {
	own image inspect "$2" >/dev/null 2>&1 || own pull --quiet "$2" >/dev/null || {
		echo "$1: cannot pull $2: check its name in the stack's settings, and that the node reaches its registry" >&2
		return 1
	}
}

# is_theirs NAME succeeds if there is a container of that name that is not the stack's.
is_theirs() {
	local labels
	labels=$(own inspect --type container --format '{{json .Config.Labels}}' "$1" 2>/dev/null) || return 1
	[[ $labels != *'"swarm-scale":'* ]]
}

# keep_container NAME IMAGE MEMORY ARGUMENT… runs a container with these arguments of docker run, which include the image. It leaves
# a container alone that was started with the same arguments. The container may use so much memory (64m), and may do no more than an
# ordinary user.
keep_container() {
	local name=$1 image=$2 memory=$3 wanted
	shift 3
	if is_theirs "$name"; then
		echo "$name: $(hostname) has a container named $name that is not this stack's. The stack needs the name: give the container" \
			"another one with \"docker rename $name NEW-NAME\" there, or remove it, and run \"pulumi up\" again" >&2
		return 1
	fi
	set -- --memory "$memory" --pids-limit 512 --ulimit nofile=16384:16384 --security-opt no-new-privileges --cap-drop ALL \
		--read-only --tmpfs /tmp "$@"
	have_image "$name" "$image"
	wanted=$(printf '%s\n' "$image" "$@" | sha256sum | cut -d ' ' -f 1)
	if [ "$(own inspect --format '{{index .Config.Labels "swarm-scale.command"}}' "$name" 2>/dev/null || true)" != "$wanted" ]; then
		own rm --force --volumes "$name" >/dev/null 2>&1 || true
		# The client passes a proxy of its own configuration on. It does not lead to the other nodes.
		own run --detach --restart unless-stopped --env NO_PROXY='*' --env no_proxy='*' --name "$name" --label swarm-scale --label "swarm-scale.command=$wanted" "$@" >/dev/null
	fi
	own start "$name" >/dev/null
}

# await NAME URL PATTERN waits for an answer that matches, for at most a minute.
await() {
	local name=$1 url=$2 pattern=$3 end=$((SECONDS + 60)) answer
	until answer=$(curl -fsS --max-time 2 "$url" 2>/dev/null) && grep -q "$pattern" <<<"$answer"; do
		if [ "$SECONDS" -ge "$end" ]; then
			own logs --tail 20 "$name" >&2
			echo "$name: no good answer from $url after 60 s (the end of its log is above)" >&2
			return 1
		fi
		sleep 1
	done
}

drop_container() { is_theirs "$1" || own rm --force --volumes "$1" >/dev/null 2>&1 || true; }
