package worker

import (
	"context"

	"swarm-scale/poll/lists"
)

// FollowList has the worker follow the list of addresses that read returns, until ctx is done; see [lists.List]. It returns at once. The
// metrics show a list that cannot be read, or with a queue that cannot be opened.
func (w *Worker) FollowList(ctx context.Context, read func() ([]string, error)) {
	list := lists.List{
		Name: "queues", Read: read, Log: w.options.Log, Bad: w.options.Metrics.listIsBad,
		Use: func(addresses []string) error { return w.Follow(ctx, addresses) },
	}
	w.running.Go(func() { list.Follow(ctx) })
}
