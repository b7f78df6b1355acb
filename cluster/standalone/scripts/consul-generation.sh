#!/usr/bin/env bash
# Prints the generation of Consul's data. Data without one is new, and gets one.
#
# Variables: CONSUL    Consul's address and port
#            MACHINES  the identities of the managers' machines, one a line; the script runs again when one of them is another
set -euo pipefail

generation="http://$CONSUL/v1/kv/swarm-scale/generation"
curl -fsS --max-time 5 --retry 5 --retry-all-errors -X PUT --data "$(cat /proc/sys/kernel/random/uuid)" "$generation?cas=0" >/dev/null
echo "generation: $(curl -fsS --max-time 5 --retry 5 --retry-all-errors "$generation?raw")"
