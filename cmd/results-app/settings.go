package main

import (
	"swarm-scale/poll"
	"swarm-scale/poll/environment"
)

const (
	defaultListen  = ":80"
	defaultMetrics = ":9090"
)

// settings are the program's environment variables.
type settings struct {
	database environment.Database // POSTGRES_HOST, _PORT, _USER, _DATABASE, _PASSWORD
	ballot   poll.Ballot          // OPTION_A, OPTION_B: the labels; Cats and Dogs if not set
	listen   string               // LISTEN_ADDRESS: where viewers are answered; :80 if not set
	metrics  string               // METRICS_ADDRESS: where Prometheus is; :9090 if not set
}

// readSettings reads and checks all of them.
func readSettings(env *environment.Reader) settings {
	s := settings{
		database: environment.ReadDatabase(env),
		ballot:   environment.Ballot(env),
		listen:   env.Listen("LISTEN_ADDRESS", defaultListen),
		metrics:  env.Listen("METRICS_ADDRESS", defaultMetrics),
	}
	environment.CheckListeners(env, s.listen, s.metrics)
	return s
}
