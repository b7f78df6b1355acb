#!/usr/bin/env bash
# The walk-through's steps in swarm mode, by hand: as a reader types them, each over SSH, one after another, on the fresh hosts of `lab up`.
# Prints the time of each step, and the sum as the last line.
#
# Usage: lab/by-hand/swarm-mode.sh [LAB-FOLDER]        default: .lab
#        lab/by-hand/swarm-mode.sh [LAB-FOLDER] undo   removes everything again
#
# No step takes longer than it need: services are made without waiting until they are stable, and three nodes manage the swarm as in
# `pulumi up`. If a step only begins what the next one needs, the script waits for it. The time to read and to type does not count.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "$undo" = yes ]; then
	for node in "${nodes[@]}"; do
		on "$node" 'sudo docker swarm leave --force; sudo docker ps --all --quiet | xargs -r sudo docker rm --force --volumes
			sudo docker system prune --all --volumes --force; rm -rf programs haproxy.cfg' >/dev/null 2>&1
		echo "$node is empty again"
	done
	exit 0
fi

begin

join() { on "$1" "sudo docker swarm join --token $(on manager "sudo docker swarm join-token --quiet $2") $manager:2377"; }
copy() { tar -C "$programs" -c "$1" | on "$2" 'mkdir -p programs && tar -C programs -x'; }
build() { copy "$1" "$2" && on "$2" "sudo docker build -t $1 programs/$1"; }
pull() { on "$2" "sudo docker pull $(image "$1")"; }
# run NODE OPTIONS… makes a service. Its image is on its node already.
run() { on manager "sudo docker service create --detach --no-resolve-image --constraint node.hostname==$1 --endpoint-mode dnsrr --network mynet $2"; }
# shellcheck disable=SC2016  # the folder is the node's
balance() {
	on interlock 'cat >haproxy.cfg && sudo docker run --restart=unless-stopped -d -p 80:80 --name haproxy -v "$PWD/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro" '"$(image haproxyImage)" <<-END
		defaults
		  mode http
		  timeout connect 5s
		  timeout client 30s
		  timeout server 30s
		frontend votes
		  bind :80
		  default_backend frontends
		backend frontends
		  option redispatch
		  server frontend01 $(address frontend01):5000 check
		  server frontend02 $(address frontend02):5000 check
	END
}

step "manager: make the swarm" on manager "sudo docker swarm init --advertise-addr $manager"
for node in frontend01 frontend02; do
	step "$node: join" join "$node" worker
done
for node in worker01 store; do
	step "$node: join as a manager" join "$node" manager
done
step "manager: create the network mynet" on manager "sudo docker network create --driver overlay mynet"
step "frontend01: build web-vote-app" build web-vote-app frontend01
step "frontend02: build web-vote-app" build web-vote-app frontend02
step "worker01: build vote-worker" build vote-worker worker01
step "store: build results-app" build results-app store
step "frontend01: pull redis" pull redisImage frontend01
step "frontend02: pull redis" pull redisImage frontend02
step "store: pull postgres" pull postgresImage store
step "interlock: pull haproxy" pull haproxyImage interlock
for number in 01 02; do
	step "manager: start redis$number" run "frontend$number" "--name redis$number $(image redisImage)"
done
for number in 01 02; do
	step "manager: start frontend$number" run "frontend$number" \
		"--publish mode=host,published=5000,target=80 -e WEB_VOTE_NUMBER=$number -e REDIS_ADDRESS=redis$number:6379 -e VOTER_KEY=$key --name frontend$number web-vote-app"
done
step "manager: start pg" run store "--name pg -e POSTGRES_PASSWORD=$password $(image postgresImage)"
step "manager: start worker01" run worker01 \
	"-e WORKER_NUMBER=01 -e REDIS_ADDRESSES=redis01:6379,redis02:6379 -e POSTGRES_USER=postgres -e POSTGRES_PASSWORD=$password --name worker01 vote-worker"
step "manager: start results-app" run store "--publish mode=host,published=80,target=80 -e POSTGRES_USER=postgres -e POSTGRES_PASSWORD=$password --name results-app results-app"
step "interlock: start haproxy" balance
step "until the vote page answers" until_true answers
finish
