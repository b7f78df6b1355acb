#!/usr/bin/env bash
# Takes a frontend out of service without losing a vote. It stops the web container, so that no vote comes in. Then the first worker
# that can drains the queue. Runs before the queue is deleted.
#
# Variables: FRONTEND  the web container
#            WORKERS   the workers, separated by spaces
#            QUEUE     the address of the frontend's Redis
set -euo pipefail

workload_stop "$FRONTEND" ||
	echo "retire: $FRONTEND could not be stopped. If it runs, it may accept votes while its queue is drained" >&2
for worker in $WORKERS; do
	if workload_exec "$worker" /vote-worker drain "$QUEUE" </dev/null; then exit 0; fi
	echo "retire: $worker could not drain the queue of $FRONTEND" >&2
done
cat >&2 <<END
retire: the queue of $FRONTEND could not be drained, so it is kept, with the votes in it.
Run "pulumi up" again once one of $WORKERS runs and reaches the queue. If its machine is lost, the votes that were queued there
are lost, too. To go on without them, run "pulumi state delete" with the URN of $FRONTEND-retirement
("pulumi stack --show-urns" lists it), and "/vote-worker forget $QUEUE" in a worker, so that the results do not wait for them.
END
exit 1
