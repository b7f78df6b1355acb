#!/usr/bin/env bash
# Waits until a workload is healthy. Fails with its last words.
#
# Variables: WORKLOAD     the workload
#            WORKLOAD_ID  its container; another one is awaited anew
#            WAIT         how many seconds to wait at most
set -euo pipefail

end=$((SECONDS + WAIT))
until health=$(workload_health "$WORKLOAD") && [ "$health" = healthy ]; do
	if [ "$SECONDS" -ge "$end" ]; then
		echo "await: after $WAIT s $WORKLOAD is $health and $(workload_state "$WORKLOAD")"
		workload_last_words "$WORKLOAD"
		exit 1
	fi >&2
	sleep 0.5
done
echo "await: $WORKLOAD is healthy"
