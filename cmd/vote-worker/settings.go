package main

import (
	"fmt"

	"swarm-scale/poll/environment"
)

const (
	defaultMetrics = ":9090"
	// maxRedis is the highest number of a redis: more than any address plan holds.
	maxRedis = 9999
)

// settings are the program's environment variables.
type settings struct {
	// WORKER_NUMBER: two digits or more, "01"; "auto" for workers that are started alike: they go by the names of their hosts.
	worker   string               // worker01
	redis    []string             // REDIS_ADDRESSES: host:port, comma separated; FROM_REDIS_HOST to TO_REDIS_HOST if not set
	database environment.Database // POSTGRES_HOST, _PORT, _USER, _DATABASE, _PASSWORD
	metrics  string               // METRICS_ADDRESS: where Prometheus and the health page are; :9090 if not set
}

// readSettings reads and checks what the standing worker needs.
func readSettings(env *environment.Reader) settings {
	s := readCommon(env)
	if env.Set("REDIS_ADDRESSES") {
		s.redis = env.Addresses("REDIS_ADDRESSES")
	} else {
		s.redis = redisRange(env)
	}
	s.metrics = env.Listen("METRICS_ADDRESS", defaultMetrics)
	return s
}

// readCommon reads what `drain` needs too.
func readCommon(env *environment.Reader) settings {
	worker, _ := env.Member("worker", "WORKER_NUMBER", "this worker")
	return settings{worker: worker, database: environment.ReadDatabase(env)}
}

// redisRange is redis FROM_REDIS_HOST to TO_REDIS_HOST, both included.
func redisRange(env *environment.Reader) []string {
	for _, key := range []string{"FROM_REDIS_HOST", "TO_REDIS_HOST"} {
		if !env.Set(key) {
			env.Fault(fmt.Errorf("%s is not set: set it to the number of the first or last redis to drain, for instance 1, "+
				"or REDIS_ADDRESSES to host:port pairs", key))
		}
	}
	from := env.Number("FROM_REDIS_HOST", 1, 1, maxRedis)
	to := env.Number("TO_REDIS_HOST", max(from, 1), 1, maxRedis)
	if from > to {
		env.Fault(fmt.Errorf("FROM_REDIS_HOST is %d and TO_REDIS_HOST is %d: the first must not be the greater", from, to))
	}
	var addresses []string
	for number := from; number <= to; number++ {
		addresses = append(addresses, redisAddress(number))
	}
	return addresses
}

// redisAddress is where the redis of that number is: 1 is at redis01:6379.
func redisAddress(number int) string { return fmt.Sprintf("redis%02d:6379", number) }

// name is how the queues know the worker: "worker01".
func (s settings) name() string { return s.worker }
