package main

import (
	"fmt"

	"swarm-scale/poll/environment"
	"swarm-scale/poll/redis"
)

const defaultMetrics = ":9090"

// settings are the program's environment variables. Each may come from a file instead; see package environment.
type settings struct {
	// WORKER_NUMBER: the number of this worker, two digits or more, such as 01; or auto, for workers that are started with the
	// same variables: the name then has the host's name for a number.
	worker   string                   // worker01
	queues   []string                 // REDIS_ADDRESSES: host:port of each queue's Redis
	password string                   // REDIS_PASSWORD: the password of every queue's Redis; none if not set
	list     func() ([]string, error) // how to read REDIS_ADDRESSES again if it comes from a file; nil if not
	copies   int                      // VOTE_COPIES: in how many queues each vote is, 1 or 2; 1 if not set
	database environment.Database     // POSTGRES_URL and _CA, or POSTGRES_HOST, _PORT, _USER, _DATABASE, _PASSWORD
	metrics  string                   // METRICS_ADDRESS: where Prometheus and the health pages are answered; :9090 if not set
}

const queuesKey = "REDIS_ADDRESSES"

// readSettings reads and checks all of them.
func readSettings(env *environment.Reader) settings {
	s := readCommon(env)
	s.queues = readQueues(env)
	s.list = env.Live(queuesKey, readQueues)
	s.copies = environment.Copies(env)
	s.metrics = env.Listen("METRICS_ADDRESS", defaultMetrics)
	return s
}

// readCommon reads and checks what `drain` needs too.
func readCommon(env *environment.Reader) settings {
	return settings{
		worker:   env.Member("worker", "WORKER_NUMBER", "this worker"),
		password: env.OptionalSecret("REDIS_PASSWORD"),
		database: environment.ReadDatabase(env, environment.WorkerRole),
	}
}

// readQueues reads the list of queues.
func readQueues(env *environment.Reader) []string {
	const from, to = "FROM_REDIS_HOST", "TO_REDIS_HOST"
	if !env.Set(queuesKey) && (env.Set(from) || env.Set(to)) {
		env.Fault(fmt.Errorf("%s is %q and %s is %q, which this version does not read: list the queues' addresses in %s, "+
			"for instance \"redis01:6379 redis02:6379\"", from, env.Text(from, ""), to, env.Text(to, ""), queuesKey))
		return nil
	}
	return env.Addresses(queuesKey, "the queues")
}

// open opens the queue at an address for a consumer.
func (s settings) open(address, consumer string) (*redis.Backlog, error) {
	return redis.NewBacklog(address, consumer, redis.WithPassword(s.password))
}

// name is how the queues know the worker: "worker01".
func (s settings) name() string { return s.worker }
