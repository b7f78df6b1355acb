package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"swarm-scale/poll/postgres"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/service"
)

const (
	// forgetUsage is the subcommand with its arguments.
	forgetUsage = "forget ADDRESS ..."
	// forgetTimeout is how long it may take to reach the database.
	forgetTimeout = time.Minute
)

// forget retires queues without draining them, so that the results do not wait for them. It is for queues that are lost for good, with
// the votes in them.
func forget(ctx context.Context, call service.Call) int {
	env := call.Environment
	settings := readCommon(env)
	queues := env.AddressList("forget", strings.Join(call.Arguments, " "))
	if len(call.Arguments) == 0 {
		env.Fault(errors.New("forget has no address: name the queues that are lost, for instance `forget redis03:6379`"))
	}
	if err := env.Err(); err != nil {
		return service.SettingsFault(call.Stderr, program+" forget", err)
	}
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	votes, err := postgres.NewVotes(postgres.Address(settings.database), program+" forget", 1)
	if err != nil {
		fmt.Fprintf(call.Stderr, "%s forget: %v\n", program, err)
		return service.ExitFailure
	}
	defer votes.Close()
	names := make([]string, len(queues))
	for i, address := range queues {
		names[i] = redis.NameOf(address)
	}
	if err := votes.Forget(ctx, names); err != nil {
		fmt.Fprintf(call.Stderr, "%s forget: nothing is forgotten: %v\n", program, err)
		return service.ExitFailure
	}
	fmt.Fprintf(call.Stdout, "the results do not wait for %s any more; votes that are still there are not counted\n", strings.Join(queues, ", "))
	return service.ExitOK
}
