package worker

import (
	"context"
	"time"
)

// listInterval is how often the list of queues is read.
const listInterval = time.Second

// FollowList has the worker follow the list of addresses that read returns, read every second until ctx is done. It returns
// at once. A list that cannot be read, or a queue in it that cannot be opened, leaves the queues as they are: the fault is
// logged once and shows in the metrics until the list is good again.
func (w *Worker) FollowList(ctx context.Context, read func() ([]string, error)) {
	w.running.Go(func() {
		fault := ""
		for sleep(ctx, listInterval); ctx.Err() == nil; sleep(ctx, listInterval) {
			addresses, err := read()
			if err == nil {
				err = w.Follow(ctx, addresses)
			}
			before := fault
			fault = ""
			if err != nil {
				fault = oneLine(err)
			}
			w.options.Metrics.listIsBad(fault != "")
			switch fault {
			case before:
			case "":
				w.options.Log.Info("following the list of queues again")
			default:
				w.options.Log.Error("cannot follow the list of queues; the queues stay as they are", "error", fault)
			}
		}
	})
}
