package main

import (
	"context"
	"log/slog"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/service"
	"swarm-scale/poll/worker"
)

// memoryLimit keeps the program below 128 MiB whatever the backlog.
const memoryLimit = 96 << 20

// databaseConnections is how many batches a worker saves at once at most. Connections are opened when they are needed.
const databaseConnections = 32

// work takes votes from the queues as they come, until ctx is done.
func work(ctx context.Context, settings settings, log *slog.Logger) error {
	service.LimitMemory(memoryLimit)
	votes, err := postgres.NewVotes(postgres.Address(settings.database), program, databaseConnections)
	if err != nil {
		return err
	}
	defer votes.Close()
	registry := service.Registry()
	open := func(address string) (poll.Backlog, error) { return settings.open(address, settings.name()) }
	w := worker.New(votes, open, worker.Options{Copies: settings.copies, Log: log, Metrics: worker.NewMetrics(registry)})

	mux := service.MetricsHandler(registry)
	alive := func(context.Context) error { return w.Alive() }
	service.Check(mux, "/healthz", alive)
	service.Check(mux, "/readyz", func(context.Context) error { return w.Ready() })
	// It has started once it can store votes. Queues may come later than workers.
	service.Started(mux, func(context.Context) error { return w.Stores() }, alive)

	// If the metrics cannot be served, the worker stops too: a program that does half its work is hard to notice.
	working, stop := context.WithCancel(ctx)
	defer w.Wait()
	defer stop()
	if err := w.Follow(working, settings.queues); err != nil {
		return err
	}
	if settings.list != nil {
		w.FollowList(working, settings.list)
	}
	return service.Serve(ctx, log, service.Listener{Name: "metrics", Address: settings.metrics, Handler: mux})
}
