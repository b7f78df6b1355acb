#!/usr/bin/env bash
# Prints since when this node has been in its swarm, if it manages one that works.
export DOCKER_HOST=unix:///var/run/docker.sock
docker node inspect self --format '{{.CreatedAt.Format "2006-01-02T15:04:05.999999999Z07:00"}}'
