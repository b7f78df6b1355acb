#!/usr/bin/env bash
# Installs and configures a node's engine. Restarts it only if its configuration has changed. It does not listen on TCP.
#
# Variables: NODE_NAME            the node's name
#            LOG_DRIVER           what keeps the containers' logs
#            LOG_SIZE, LOG_FILES  how large a container's log file may be, and how many files are kept
#            OPEN_FILES           how many files each process of a container may have open, unless the container has another limit
# Functions: have_engine, those of configure.sh

have_engine

restart=no
# A service cannot have these limits for itself.
if changed /etc/docker/daemon.json <<END; then restart=yes; fi
{
  "no-new-privileges": true,
  "default-ulimits": { "nofile": { "Name": "nofile", "Hard": $OPEN_FILES, "Soft": $OPEN_FILES } },
  "log-driver": "$LOG_DRIVER",
  "log-opts": { "max-size": "$LOG_SIZE", "max-file": "$LOG_FILES" }
}
END
if [ -d /run/systemd/system ]; then start_limit; fi
admit_login
run_engine "$restart"
context=$(login_context)
[ "$context" = default ] || refuse_context "$context"
echo "engine: Docker Engine $(docker version --format '{{.Server.Version}}') on $NODE_NAME"
