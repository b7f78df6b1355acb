#!/usr/bin/env bash
# Prints the address of Consul's leader, in quotes, as Consul on this node knows it.
curl -fsS --max-time 5 "http://127.0.0.1:$CONSUL_PORT/v1/status/leader"
