#!/usr/bin/env bash
# The walk-through by hand: its steps as a reader types them, each over SSH, one after another, on the fresh hosts of `lab up`. Prints
# the time of each step, and the sum as the last line.
#
# Usage: lab/by-hand.sh [LAB-FOLDER]        default: .lab
#        lab/by-hand.sh [LAB-FOLDER] undo   removes everything again
#
# This repository's programs replace those of 2016. They need a key and the database's password. The walk-through's machines had a
# configured engine, which is a step here. If a step only begins what the next one needs, the script waits for it. The time to read
# and to type does not count.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$here/.lab
if [ $# -gt 0 ] && [ "$1" != undo ]; then
	folder=$(realpath "$1")
	shift
fi
cd "$here"
[ -r "$folder/ssh_config" ] || {
	echo "there is no lab in $folder: bring it up first (make lab-up)" >&2
	exit 1
}

address() { awk -v host="$1" '$1 == "Host" { name = $2 } $1 == "HostName" && name == host { print $2 }' "$folder/ssh_config"; }
image() { sed -n "/^  $1:/,/default:/s/^ *default: //p" Pulumi.yaml; }
on() { ssh -F "$folder/ssh_config" "$@"; }

nodes=(manager interlock frontend01 frontend02 worker01 store)
members=(frontend01 frontend02 worker01 store)
manager=$(address manager)
swarm="tcp://$manager:3375"
discovery="consul://$manager:8500/"

if [ "${1:-}" = undo ]; then
	for node in "${members[@]}" interlock; do
		on "$node" 'sudo docker ps --all --quiet | xargs -r sudo docker rm --force --volumes' >/dev/null
	done
	on manager "sudo docker --host $swarm network rm mynet; rm -rf programs" >/dev/null || true
	for node in "${nodes[@]}"; do
		on "$node" 'sudo docker ps --all --quiet | xargs -r sudo docker rm --force --volumes
			sudo docker system prune --all --volumes --force; sudo rm -f /etc/docker/daemon.json; sudo service docker restart' >/dev/null
		echo "$node is empty again"
	done
	exit 0
fi

# Programs are built on the operator's machine, as `pulumi up` does. The time counts for neither.
programs=$folder/by-hand
for program in web-vote-app vote-worker results-app; do
	mkdir -p "$programs/$program"
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$programs/$program/$program" "./cmd/$program"
	cp "cmd/$program/Dockerfile" "$programs/$program/"
done
key=$(openssl rand -base64 32)
password=pg8675309

now() { date +%s%N; }
begun=$(now)
seconds() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%6.1f s", (to - from) / 1e9 }'; }

# step TITLE COMMAND… runs a command and says how long it took.
step() {
	local title=$1 start
	shift
	start=$(now)
	"$@" >"$folder/by-hand.log" 2>&1 || {
		cat "$folder/by-hand.log" >&2
		echo "failed: $title" >&2
		exit 1
	}
	echo "$(seconds "$start")  $title"
}

# until_true COMMAND… waits for a command to succeed, for at most $patience seconds.
patience=120
until_true() {
	local end=$((SECONDS + patience))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "failed for $patience s: $*" >&2
			return 1
		}
		sleep 0.2
	done
}

configure_engine() {
	on "$1" "sudo mkdir -p /etc/docker && sudo tee /etc/docker/daemon.json && sudo service docker restart" <<-END
		{
		  "hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"],
		  "tls": false,
		  "cluster-store": "consul://$manager:8500",
		  "cluster-advertise": "$(address "$1"):2375"
		}
	END
	until_true on "$1" sudo docker version
}
# Consul and the Swarm manager are asked on the manager: other machines need not reach them.
has_leader() { [[ $(on manager "curl -fsS --max-time 2 http://$manager:8500/v1/status/leader") == '"'?*'"' ]]; }
consul() {
	on manager "sudo docker run --restart=unless-stopped -d -p 8500:8500 -h consul $(image consulImage) agent -server -bootstrap -client 0.0.0.0 -data-dir /consul/data"
	until_true has_leader
}
# Engines that start together may not join each other, and then some votes are never counted. An engine that is removed from Consul's
# list announces itself again, and those that have joined nobody join it.
announce_anew() { on manager "curl -fsS --max-time 5 -X DELETE http://$manager:8500/v1/kv/docker/nodes/$manager:2375"; }
all_healthy() { [ "$(on manager "curl -fsS --max-time 2 http://$manager:3375/info" | grep -o '"Healthy"' | wc -l)" -eq "${#members[@]}" ]; }
copy_programs() { tar -C "$programs" -c . | on manager 'mkdir -p programs && tar -C programs -x'; }
build() { on manager "cd programs && sudo docker -H tcp://$(address "$2"):2375 build -t $1 ./$1"; }
pull() { on manager "sudo docker -H tcp://$(address "$2"):2375 pull $(image "$1")"; }
run() { on manager "sudo docker -H $swarm run --restart=unless-stopped --env=constraint:node==$1 -d --net mynet $2"; }
answers() { curl -fsS --max-time 2 -H 'Host: votingapp.local' "http://$(address interlock)/" -o /dev/null; }

for node in "${nodes[@]}"; do
	step "$node: configure the engine" configure_engine "$node"
done
step "manager: Consul" consul
step "manager: the Swarm manager" on manager "sudo docker run --restart=unless-stopped -d -p 3375:2375 $(image swarmImage) manage $discovery"
for node in "${members[@]}"; do
	step "manager: join $node" on manager \
		"sudo docker -H tcp://$(address "$node"):2375 run -d $(image swarmImage) join --advertise=$(address "$node"):2375 $discovery"
done
step "manager: until all nodes are healthy" until_true all_healthy
step "manager: have the engines find each other" announce_anew
step "manager: create the network mynet" on manager "sudo docker -H $swarm network create --driver overlay mynet"
for node in "${members[@]}"; do
	step "$node: see mynet" until_true on "$node" "sudo docker network inspect mynet"
done
step "manager: fetch the programs" copy_programs
step "manager: build web-vote-app on frontend01" build web-vote-app frontend01
step "manager: build web-vote-app on frontend02" build web-vote-app frontend02
step "manager: build vote-worker on worker01" build vote-worker worker01
step "manager: build results-app on store" build results-app store
step "manager: pull redis on frontend01" pull redisImage frontend01
step "manager: pull redis on frontend02" pull redisImage frontend02
step "manager: pull postgres on store" pull postgresImage store
step "manager: pull interlock on interlock" pull interlockImage interlock
step "manager: start interlock" on manager \
	"sudo docker -H tcp://$(address interlock):2375 run --restart=unless-stopped -p 80:80 --name interlock -d $(image interlockImage) --swarm-url $swarm --plugin haproxy start"
for number in 01 02; do
	step "manager: start redis$number" run "frontend$number" "-p 6379:6379 --name redis$number $(image redisImage)"
done
for number in 01 02; do
	step "manager: start frontend$number" run "frontend$number" \
		"-p 5000:80 -e WEB_VOTE_NUMBER=$number -e REDIS_ADDRESS=redis$number:6379 -e VOTER_KEY=$key --name frontend$number --hostname votingapp --domainname local web-vote-app"
done
step "manager: start pg" run store "--name pg -e POSTGRES_PASSWORD=$password -p 5432:5432 $(image postgresImage)"
step "manager: start worker01" run worker01 \
	"-e WORKER_NUMBER=01 -e REDIS_ADDRESSES=redis01:6379,redis02:6379 -e POSTGRES_USER=postgres -e POSTGRES_PASSWORD=$password --name worker01 vote-worker"
step "manager: start results-app" run store "-p 80:80 -e POSTGRES_USER=postgres -e POSTGRES_PASSWORD=$password --name results-app results-app"
step "until the vote page answers" until_true answers
sum=$(seconds "$begun")

jar=$(mktemp)
trap 'rm -f "$jar"' EXIT
cast() {
	curl -fsS --max-time 5 -c "$jar" -b "$jar" -H 'Host: votingapp.local' "http://$(address interlock)/" -o /dev/null &&
		sleep 1.1 && # a ballot that is younger does not count
		curl -fsS --max-time 5 -c "$jar" -b "$jar" -H 'Host: votingapp.local' -d vote=a "http://$(address interlock)/" -o /dev/null
}
one_vote='"total":1[,}]'
counted() { [[ $(curl -fsS --max-time 5 "http://$(address store)/results.json") =~ $one_vote ]]; }
step "cast a vote (not in the sum)" until_true cast
# Nothing repairs the network between nodes that were set up by hand, and it may not work.
patience=45
if until_true counted; then
	echo "           the vote was counted"
else
	echo "           the vote was not counted within $patience s"
fi
echo "$sum  all steps, one after another"
