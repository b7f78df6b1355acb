#!/usr/bin/env bash
# Takes a frontend out of service without losing a vote: stops its web container, so that no further vote comes in, and has the
# first worker that can do it drain its queue. Runs before the queue is deleted.
#
# Variables: FRONTEND  the web container
#            WORKERS   the workers, with spaces between
#            QUEUE     the address of the frontend's Redis
set -euo pipefail

workload_stop "$FRONTEND" ||
	echo "retire: $FRONTEND could not be stopped. If it still runs, it may take votes while its queue is drained" >&2
for worker in $WORKERS; do
	if workload_exec "$worker" /vote-worker drain "$QUEUE" </dev/null; then exit 0; fi
	echo "retire: $worker could not drain the queue of $FRONTEND" >&2
done
cat >&2 <<END
retire: the queue of $FRONTEND could not be drained, so it is kept, with the votes in it.
Run "pulumi up" again once one of $WORKERS runs and reaches it. If its machine is lost for good, so are the votes that were
still queued there. To go on without them: pulumi state delete the resource named $FRONTEND-retirement
("pulumi stack --show-urns").
END
exit 1
