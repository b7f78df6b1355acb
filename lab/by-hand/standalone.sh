#!/usr/bin/env bash
# The walk-through by hand: its steps as a reader types them, each over SSH, one after another, on the fresh hosts of `lab up`. Prints
# the time of each step, and the sum as the last line.
#
# Usage: lab/by-hand/standalone.sh [LAB-FOLDER]        default: .lab
#        lab/by-hand/standalone.sh [LAB-FOLDER] undo   removes everything again
#
# This repository's programs replace those of 2016. They need a key and the database's password. The walk-through's machines had a
# configured engine, which is a step here. If a step only begins what the next one needs, the script waits for it. The time to read
# and to type does not count.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

swarm="tcp://$manager:3375"
discovery="consul://$manager:8500/"

if [ "$undo" = yes ]; then
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

begin
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
finish
