#!/usr/bin/env bash
# Installs and configures a node's engine. Restarts it only if its configuration has changed.
#
# Variables: NODE_NAME            the node's name
#            PRIVATE_ADDRESS      the IPv4 address at which the other nodes reach it
#            CLUSTER_STORE        Consul's URL
#            LOG_DRIVER           what keeps the containers' logs
#            LOG_SIZE, LOG_FILES  how large a container's log file may be, and how many files are kept
#            TEND_CONTAINERS      a script to run as a service as long as the engine runs
# Functions: have_engine, engine_command, as_user, those of configure.sh
tender=/usr/local/lib/swarm-scale/tend-containers

have_engine

restart=no
# Without "tls": false the engine waits 15 s at its start, to warn about a port without TLS.
# The engine starts before Consul does. It looks for Consul once a heartbeat, which is 20 s by default.
if changed /etc/docker/daemon.json <<END; then restart=yes; fi
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://$PRIVATE_ADDRESS:$ENGINE_PORT"],
  "tls": false,
  "cluster-store": "$CLUSTER_STORE",
  "cluster-advertise": "$PRIVATE_ADDRESS:$ENGINE_PORT",
  "cluster-store-opts": { "discovery.heartbeat": "2", "discovery.ttl": "60" },
  "log-driver": "$LOG_DRIVER",
  "log-opts": { "max-size": "$LOG_SIZE", "max-file": "$LOG_FILES" }
}
END
if [ -d /run/systemd/system ]; then
	# The unit's own -H conflicts with the hosts above.
	if changed /etc/systemd/system/docker.service.d/swarm-scale.conf <<END; then restart=yes; fi
[Service]
ExecStart=
ExecStart=$(engine_command "$CLUSTER_STORE")
END
	start_limit
	if changed /etc/systemd/system/swarm-scale-containers.service <<END; then restart=yes; fi
[Unit]
Description=Does for the containers what the engine does not do by itself
After=docker.service
StartLimitIntervalSec=0
[Service]
ExecStart=$tender
Restart=always
RestartSec=1
[Install]
WantedBy=docker.service
END
fi
if changed "$tender" <<<"$TEND_CONTAINERS"; then
	chmod 0755 "$tender"
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl try-restart swarm-scale-containers # if it runs
	else
		pkill -x -f "bash $tender" || true # what runs it in place of systemd starts it again
	fi
fi
admit_login
run_engine "$restart" swarm-scale-containers
context=$(login_context)
case $context in
default) ;;
swarm) docker inspect swarm-manager >/dev/null 2>&1 || as_user docker context use default >/dev/null ;;
*) refuse_context "$context" ;;
esac
echo "engine: Docker Engine $(docker version --format '{{.Server.Version}}') on $NODE_NAME listens at $PRIVATE_ADDRESS:$ENGINE_PORT"
