package main

import (
	"context"
	"log/slog"

	"swarm-scale/poll/http"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/service"
)

// memoryLimit keeps the program below 64 MiB with 1,000 viewers.
const memoryLimit = 60 << 20

// serve ties the results page to the database and answers until ctx is done.
func serve(ctx context.Context, settings settings, log *slog.Logger) error {
	service.LimitMemory(memoryLimit)
	scoreboard, err := postgres.NewScoreboard(postgres.Address(settings.database), program, settings.copies)
	if err != nil {
		return err
	}
	defer scoreboard.Close()
	registry := service.Registry()
	app, err := http.NewResultsApp(http.ResultsOptions{
		Ballot:     settings.ballot,
		Scoreboard: scoreboard,
		Log:        log,
		Registerer: registry,

		MostPerClient: settings.viewersPerAddress,
		Proxies:       settings.proxies,
	})
	if err != nil {
		return err
	}
	reading, stopReading := context.WithCancel(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		app.Run(reading)
	}()
	defer func() {
		stopReading()
		<-read
	}()
	inside := service.MetricsHandler(registry)
	service.Check(inside, "/healthz", app.Healthy)
	service.Check(inside, "/readyz", app.Ready)
	service.Started(inside, app.Ready, app.Healthy)
	return service.Serve(ctx, log,
		service.Listener{Name: "results", Address: settings.listen, Handler: app,
			MostPerClient: settings.connectionsPerAddress, Proxies: settings.proxies},
		service.Listener{Name: "metrics", Address: settings.metrics, Handler: inside})
}
