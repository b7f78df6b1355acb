package main

import (
	"context"
	"log/slog"
	"sync"

	"swarm-scale/poll/http"
	"swarm-scale/poll/lists"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/service"
)

// memoryLimit keeps the program below 64 MiB with 2,000 connections.
const memoryLimit = 60 << 20

// serve ties the vote page to its queue and answers until ctx is done.
func serve(ctx context.Context, settings settings, log *slog.Logger) error {
	service.LimitMemory(memoryLimit)
	queue, err := redis.NewCopiedQueue(settings.queue, redis.Copies{Number: settings.copies, Partners: settings.partners, Log: log},
		redis.WithPassword(settings.password))
	if err != nil {
		return err
	}
	defer queue.Close()
	registry := service.Registry()
	app, err := http.NewVoteApp(http.VoteOptions{
		Ballot:    settings.ballot,
		Queue:     queue,
		Key:       settings.voterKey,
		BallotAge: settings.ballotAge,
		Names:     settings.names,
		Container: settings.container(),
		Log:       log,
		Metrics:   http.NewVoteMetrics(registry),
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, app.Stopping)
	if settings.list != nil {
		partners := lists.List{Name: "partners", Read: settings.list, Use: queue.SetPartners, Log: log}
		following, stop := context.WithCancel(ctx)
		var ended sync.WaitGroup
		ended.Go(func() { partners.Follow(following) })
		defer ended.Wait() // before the queue is closed
		defer stop()
	}
	return service.Serve(ctx, log,
		service.Listener{Name: "votes", Address: settings.listen, Handler: app, ConnContext: http.WithConnection},
		service.Listener{Name: "metrics", Address: settings.metrics, Handler: service.MetricsHandler(registry)})
}
