package main

import (
	"swarm-scale/poll"
	"swarm-scale/poll/clients"
	"swarm-scale/poll/environment"
)

const (
	defaultListen  = ":80"
	defaultMetrics = ":9090"
	mostPerAddress = 1_000_000
)

// settings are the program's environment variables.
type settings struct {
	database environment.Database // POSTGRES_URL and _CA, or POSTGRES_HOST, _PORT, _USER, _DATABASE, _PASSWORD
	copies   int                  // VOTE_COPIES: in how many queues each vote is, 1 or 2; 1 if not set
	ballot   poll.Ballot          // OPTION_A, OPTION_B: the labels; Cats and Dogs if not set
	listen   string               // LISTEN_ADDRESS: where viewers are answered; :80 if not set
	metrics  string               // METRICS_ADDRESS: where Prometheus is, and the health checks; :9090 if not set
	proxies  clients.Proxies      // TRUSTED_PROXIES: they say whom a request comes from; none if not set
	// CONNECTIONS_PER_ADDRESS and VIEWERS_PER_ADDRESS: how many a client may have at once
	connectionsPerAddress, viewersPerAddress int
}

// readSettings reads and checks all of them.
func readSettings(env *environment.Reader) settings {
	s := settings{
		database: environment.ReadDatabase(env, environment.ResultsRole),
		copies:   environment.Copies(env),
		ballot:   environment.Ballot(env),
		listen:   env.Listen("LISTEN_ADDRESS", defaultListen),
		metrics:  env.Listen("METRICS_ADDRESS", defaultMetrics),
		proxies:  env.Networks("TRUSTED_PROXIES"),

		connectionsPerAddress: env.Number("CONNECTIONS_PER_ADDRESS", 1000, 1, mostPerAddress),
		viewersPerAddress:     env.Number("VIEWERS_PER_ADDRESS", 500, 1, mostPerAddress),
	}
	environment.CheckListeners(env, s.listen, s.metrics)
	return s
}
