package main

import (
	"fmt"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/environment"
	"swarm-scale/poll/http"
)

const (
	defaultListen  = ":80"
	defaultMetrics = ":9090"

	partnersKey = "REDIS_PARTNERS"
)

// settings are the program's environment variables. Each may come from a file instead; see package environment.
type settings struct {
	// WEB_VOTE_NUMBER: the number of this frontend, two digits or more, such as 01; or auto, for frontends that are started
	// with the same variables: the name then has the host's name for a number.
	name     string // frontend01, which the page shows
	queue    string // REDIS_ADDRESS: host:port of the Redis that has this frontend's queue
	password string // REDIS_PASSWORD: the password of each Redis; none if not set
	copies   int    // VOTE_COPIES: in how many Redis each vote is before its voter is thanked, 1 or 2; 1 if not set
	// REDIS_PARTNERS: host:port of the other frontends' Redis, in the order in which they are asked; for two copies. The first one that answers
	// has the second copy.
	partners []string
	list     func() ([]string, error) // how to read REDIS_PARTNERS again if it comes from a file; nil if not
	voterKey []byte                   // VOTER_KEY: base64 of at least 32 bytes, the same on all frontends; signs voters' cookies
	ballot   poll.Ballot              // OPTION_A, OPTION_B: the labels; Cats and Dogs if not set
	// BALLOT_AGE: how many seconds a voter has to have had the ballot before a vote is taken; 1 if not set. With 0 a vote needs no
	// ballot.
	ballotAge time.Duration
	names     []string // VOTE_NAMES: the page's host names; with them, votes are taken behind proxies that do not pass on the name
	listen    string   // LISTEN_ADDRESS: where voters are answered; :80 if not set
	metrics   string   // METRICS_ADDRESS: where Prometheus is answered; :9090 if not set
}

// readSettings reads and checks all of them.
func readSettings(env *environment.Reader) settings {
	s := settings{
		name:      env.Member("frontend", "WEB_VOTE_NUMBER", "this frontend"),
		queue:     env.Address("REDIS_ADDRESS", "the redis that has this frontend's queue"),
		password:  env.OptionalSecret("REDIS_PASSWORD"),
		copies:    environment.Copies(env),
		voterKey:  env.Key("VOTER_KEY", "the secret that signs voters' cookies, the same on all frontends", http.KeySize),
		ballot:    environment.Ballot(env),
		names:     env.Names("VOTE_NAMES"),
		ballotAge: time.Duration(env.Number("BALLOT_AGE", 1, 0, 3600)) * time.Second,
		listen:    env.Listen("LISTEN_ADDRESS", defaultListen),
		metrics:   env.Listen("METRICS_ADDRESS", defaultMetrics),
	}
	environment.CheckListeners(env, s.listen, s.metrics)
	switch {
	case s.copies > 1:
		s.partners, s.list = readPartners(env), env.Live(partnersKey, readPartners)
	case env.Set(partnersKey):
		env.Fault(fmt.Errorf("%s is set, but %s is 1, so no other redis gets a copy: set %s to 2, or remove %s", partnersKey, environment.CopiesKey, environment.CopiesKey, partnersKey))
	}
	return s
}

// readPartners reads the list of the other frontends' Redis.
func readPartners(env *environment.Reader) []string {
	return env.Addresses(partnersKey, "the other frontends' redis")
}

// container is the name that the page shows.
func (s settings) container() string { return s.name }
