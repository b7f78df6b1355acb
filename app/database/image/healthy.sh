#!/usr/bin/env bash
# Succeeds while the container need not be replaced by another one. A store or a member that waits for the others is well: another one would
# have to wait, too, and they find each other by name only while they are well.
#
# Argument: store or etcd
set -euo pipefail

if [ -e /tmp/waits ]; then exit 0; fi
case $1 in
store) exec curl --silent --show-error --fail --max-time 4 --cacert /tmp/tls/ca.crt --cert /tmp/tls/client.crt --key /tmp/tls/client.key https://localhost:8008/liveness ;;
# Any answer will do. Without most of the others it answers no client, and they would never find it if it did not count as well.
etcd) exec curl --silent --show-error --max-time 4 --output /dev/null http://127.0.0.1:2381/livez ;;
esac
