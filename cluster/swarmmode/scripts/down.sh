#!/usr/bin/env bash
# Prints a line "down: NAME ID" for each of the swarm's nodes that is down.
#
# Functions: nodes
set -euo pipefail

nodes | awk '$3 == "down" { print "down: " $2 " " $1 }'
