package main

import (
	"errors"

	"swarm-scale/poll"
	"swarm-scale/poll/environment"
	"swarm-scale/poll/http"
)

const (
	defaultListen  = ":80"
	defaultMetrics = ":9090"
)

// settings are the program's environment variables.
type settings struct {
	// WEB_VOTE_NUMBER: two digits or more, "01"; the number of this frontend and of its redis. "auto" for frontends that are
	// started alike and share a redis: they go by the names of their hosts.
	name         string      // frontend01
	redisAddress string      // REDIS_ADDRESS: host:port; redis<number>:6379 if not set
	voterKey     []byte      // VOTER_KEY: base64 of at least 32 bytes, the same on all frontends; signs voters' cookies
	ballot       poll.Ballot // OPTION_A, OPTION_B: the labels; Cats and Dogs if not set
	listen       string      // LISTEN_ADDRESS: where voters are answered; :80 if not set
	metrics      string      // METRICS_ADDRESS: where Prometheus is; :9090 if not set
}

// readSettings reads and checks all of them.
func readSettings(env *environment.Reader) settings {
	var s settings
	var number string
	s.name, number = env.Member("frontend", "WEB_VOTE_NUMBER", "this frontend and its redis")
	s.redisAddress = env.Address("REDIS_ADDRESS", "redis"+number+":6379")
	if env.Text("WEB_VOTE_NUMBER", "") == environment.Auto && !env.Set("REDIS_ADDRESS") {
		env.Fault(errors.New("REDIS_ADDRESS is not set, and WEB_VOTE_NUMBER is \"auto\": set it to the redis that the frontends " +
			"share, for instance redis:6379"))
	}
	s.voterKey = env.Key("VOTER_KEY", "the secret that signs voters' cookies, the same on all frontends", http.KeySize)
	s.ballot = environment.Ballot(env)
	s.listen = env.Listen("LISTEN_ADDRESS", defaultListen)
	s.metrics = env.Listen("METRICS_ADDRESS", defaultMetrics)
	environment.CheckListeners(env, s.listen, s.metrics)
	return s
}

// container is the name that the page shows.
func (s settings) container() string { return s.name }
