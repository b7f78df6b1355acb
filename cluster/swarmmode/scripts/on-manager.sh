#!/usr/bin/env bash
# The functions about workloads that cluster.Cluster.Script promises, on a manager of the swarm. Other scripts begin with them.

in_swarm() { docker -H unix:///var/run/docker.sock "$@"; }

# tasks NAME prints the tasks of the workload's service that shall run, as the swarm sees them: "Running 3 minutes ago".
tasks() { in_swarm service ps --filter desired-state=running --format '{{.CurrentState}}' "$1" 2>/dev/null; }

# workload_health NAME prints healthy, starting or missing. A task runs once its health check has succeeded.
workload_health() {
	local state
	state=$(tasks "$1") || state=
	case $state in
	"") echo missing ;;
	Running*) echo healthy ;;
	*) echo starting ;;
	esac
}

# workload_state NAME prints running, or what else the swarm says of it.
workload_state() {
	local state
	state=$(tasks "$1") || state=
	state=${state%%$'\n'*}
	printf '%s\n' "${state:-missing}"
}

# workload_last_words NAME prints why its former containers ended, and the end of its log.
workload_last_words() {
	in_swarm service ps --no-trunc --format '{{.Error}}' "$1" 2>/dev/null | grep . | tail -n 1 | sed 's/^/  its swarm says: /' || true
	in_swarm service logs --raw --tail 3 "$1" 2>&1 | tail -n 3 | sed 's/^/  its log ends:   /' || true
}

# workload_stop NAME stops it for good.
workload_stop() {
	in_swarm service scale --detach=false "$1=0" >/dev/null
}

# workload_exec NAME COMMAND… runs a command as the workload would, in another container on its node. It gets no standard input.
workload_exec() {
	local name=$1 job options=() line state end=$((SECONDS + ${JOB_WAIT:-600}))
	shift
	job=$name-job-$(date +%s%N)
	while IFS= read -r line; do [ -z "$line" ] || options+=("$line"); done < <(in_swarm service inspect --format '
		{{- with .Spec.TaskTemplate}}
		{{- range .ContainerSpec.Env}}{{printf "--env=%s\n" .}}{{end}}
		{{- range .ContainerSpec.Mounts}}{{printf "--mount=type=%s,target=%s,readonly=%t" .Type .Target .ReadOnly}}{{with .Source}}{{printf ",source=%s" .}}{{end}}{{println}}{{end}}
		{{- range .Networks}}{{printf "--network=%s\n" .Target}}{{end}}
		{{- range .Placement.Constraints}}{{printf "--constraint=%s\n" .}}{{end}}
		{{- printf "%s\n" .ContainerSpec.Image}}{{end}}' "$name")
	[ "${#options[@]}" -gt 0 ] || return 1
	in_swarm service create --quiet --detach --name "$job" --mode replicated-job --restart-condition none --no-resolve-image --cap-drop ALL --read-only \
		--label swarm-scale --entrypoint "$1" "${options[@]}" "${@:2}" >/dev/null || return 1
	while :; do
		state=$(in_swarm service ps --format '{{.CurrentState}}' "$job") || state=
		case $state in Complete* | Failed* | Rejected* | Shutdown* | Orphaned*) break ;; esac
		if [ "$SECONDS" -ge "$end" ]; then break; fi
		sleep 0.5
	done
	in_swarm service logs --raw "$job" || true
	in_swarm service rm "$job" >/dev/null || true
	[[ $state == Complete* ]]
}
