#!/usr/bin/env bash
# Removes a node from the swarm and prints the token with which its machine joins anew, and where. A dead manager that stayed until its successor has
# joined would count for the majority.
#
# Variables: ID    the node
#            ROLE  what its machine will be: worker or manager
# Functions: drop, token
set -euo pipefail

drop "$ID"
token "$ROLE"
