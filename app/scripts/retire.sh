#!/usr/bin/env bash
# Takes a frontend out of service without losing a vote: stops its web container, so that no further vote comes in, and has
# a worker store what is left in its queue. Runs on the manager, before the queue is deleted.
#
# Variables: FRONTEND, FRONTEND_HOST  the web container, and the engine or manager that has it
#            WORKER, WORKER_HOST      a worker's container, and the engine or manager that has it
#            QUEUE                    the number of the frontend's Redis
set -euo pipefail

docker -H "$FRONTEND_HOST" stop "$FRONTEND" >/dev/null ||
	echo "retire: $FRONTEND could not be stopped; if it still runs, it may take votes while its queue is emptied" >&2
docker -H "$WORKER_HOST" exec "$WORKER" /vote-worker drain "$QUEUE" || {
	cat >&2 <<END
retire: the queue of $FRONTEND could not be emptied, so it is kept, with the votes in it.
Run "pulumi up" again once $WORKER runs and reaches it. If its machine is lost for good, so are the votes that were still
queued there; to go on without them: pulumi state delete the resource named $FRONTEND-retirement ("pulumi stack --show-urns").
END
	exit 1
}
