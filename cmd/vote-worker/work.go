package main

import (
	"context"
	"log/slog"

	"swarm-scale/poll"
	"swarm-scale/poll/drain"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/service"
)

// memoryLimit keeps the program below 128 MiB whatever the backlog.
const memoryLimit = 96 << 20

// work is the standing worker: it drains its queues until ctx is done.
func work(ctx context.Context, settings settings, log *slog.Logger) error {
	service.LimitMemory(memoryLimit)
	store, err := postgres.NewStore(postgres.Address(settings.database), program, len(settings.queues))
	if err != nil {
		return err
	}
	defer store.Close()
	var backlogs []poll.Backlog
	for _, address := range settings.queues {
		backlog, err := redis.NewBacklog(address, settings.name())
		if err != nil {
			return err
		}
		defer backlog.Close()
		backlogs = append(backlogs, backlog)
	}
	registry := service.Registry()
	worker := drain.NewWorker(store, backlogs, drain.Options{Log: log, Metrics: drain.NewMetrics(registry)})

	mux := service.MetricsHandler(registry)
	service.Check(mux, "/healthz", func(context.Context) error { return worker.Alive() })
	service.Check(mux, "/readyz", func(context.Context) error { return worker.Ready() })

	// If the metrics cannot be served, the worker stops too: a program that does half its work is hard to notice.
	working, stopWorking := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		worker.Run(working)
	}()
	err = service.Serve(ctx, log, service.Listener{Name: "metrics", Address: settings.metrics, Handler: mux})
	stopWorking()
	<-finished
	return err
}
