package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"swarm-scale/poll/postgres"
	"swarm-scale/poll/service"
	"swarm-scale/poll/worker"
)

// drainUsage is the subcommand with its arguments.
const drainUsage = "drain [--timeout 5m] ADDRESS ..."

// drainAndStop drains the queues that it is told, side by side, and says how many votes each had. It is for queues that are
// about to be taken away. It returns service.ExitOK only if everything in all of them is committed.
func drainAndStop(ctx context.Context, call service.Call) int {
	env, stdout, stderr := call.Environment, call.Stdout, call.Stderr
	flags := flag.NewFlagSet(program+" drain", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: %s %s\n  ADDRESS is host:port of a queue's redis, for instance redis03:6379\n", program, drainUsage)
		flags.PrintDefaults()
	}
	timeout := flags.Duration("timeout", 5*time.Minute, "give up after this time")
	if err := flags.Parse(call.Arguments); errors.Is(err, flag.ErrHelp) {
		return service.ExitOK
	} else if err != nil {
		return service.ExitSettings
	}
	settings := readCommon(env)
	settings.queues = env.AddressList("drain", strings.Join(flags.Args(), " "))
	if flags.NArg() == 0 {
		env.Fault(errors.New("drain has no address: name the queues to drain, for instance `drain redis03:6379`"))
	}
	if *timeout <= 0 {
		env.Fault(fmt.Errorf("--timeout is %s: give a time above zero, for instance 5m", *timeout))
	}
	if err := env.Err(); err != nil {
		return service.SettingsFault(stderr, program+" drain", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	log := service.Log(stderr, program).With("container", settings.name())
	if err := drainAll(ctx, settings, *timeout, log, stdout); err != nil {
		fmt.Fprintf(stderr, "%s drain: not everything is stored, do not take the queues away: %v\n", program, err)
		return service.ExitFailure
	}
	return service.ExitOK
}

// drainAll drains all queues side by side and prints a line for each.
func drainAll(ctx context.Context, settings settings, timeout time.Duration, log *slog.Logger, stdout io.Writer) error {
	votes, err := postgres.NewVotes(postgres.Address(settings.database), program+" drain", len(settings.queues))
	if err != nil {
		return err
	}
	defer votes.Close()
	results := make([]string, len(settings.queues))
	faults := make([]error, len(settings.queues))
	var group sync.WaitGroup
	for i, address := range settings.queues {
		group.Go(func() {
			// A consumer of its own: the standing worker's unfinished entries are not this one's.
			backlog, err := settings.open(address, settings.name()+"-drain")
			if err != nil {
				faults[i] = err
				return
			}
			defer backlog.Close()
			drained, err := worker.Drain(ctx, votes, backlog, worker.Options{Log: log, StepTimeout: min(timeout, time.Minute)})
			results[i] = fmt.Sprintf("%s: stored %d votes", backlog.Name(), drained.Votes)
			if drained.DeadLetters > 0 {
				results[i] += fmt.Sprintf(", moved %d dead letters to the table unreadable_entries", drained.DeadLetters)
			}
			if err != nil {
				results[i] += ", not empty"
			}
			faults[i] = err
		})
	}
	group.Wait()
	for _, line := range results {
		if line != "" {
			fmt.Fprintln(stdout, line)
		}
	}
	return errors.Join(faults...)
}
