package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"swarm-scale/poll/drain"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/service"
)

// drainUsage is the subcommand with its arguments.
const drainUsage = "drain [--timeout 5m] ADDRESS ..."

// drainAndStop empties the queues it is told, all at once, and says how many votes each had. It is for queues that are
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
	if err := emptyAll(ctx, settings, *timeout, log, stdout); err != nil {
		fmt.Fprintf(stderr, "%s drain: not everything is stored, do not take the queues away: %v\n", program, err)
		return service.ExitFailure
	}
	return service.ExitOK
}

// emptyAll empties all queues side by side and prints a line for each.
func emptyAll(ctx context.Context, settings settings, timeout time.Duration, log *slog.Logger, stdout io.Writer) error {
	store, err := postgres.NewStore(postgres.Address(settings.database), program+" drain", len(settings.queues))
	if err != nil {
		return err
	}
	defer store.Close()
	results := make([]string, len(settings.queues))
	faults := make([]error, len(settings.queues))
	var group errgroup.Group
	for i, address := range settings.queues {
		group.Go(func() error {
			// Its own name, so that it does not take the standing worker's entries for its own.
			backlog, err := redis.NewBacklog(address, settings.name()+"-drain")
			if err != nil {
				faults[i] = err
				return nil
			}
			defer backlog.Close()
			emptied, err := drain.Empty(ctx, store, backlog, drain.Options{Log: log, StepTimeout: min(timeout, time.Minute)})
			results[i] = fmt.Sprintf("%s: stored %d votes", backlog.Name(), emptied.Stored)
			if emptied.Unreadable > 0 {
				results[i] += fmt.Sprintf(", kept %d unreadable entries in the table unreadable_entries", emptied.Unreadable)
			}
			if err != nil {
				results[i] += ", not empty"
			}
			faults[i] = err
			return nil // one queue's fault does not stop the others
		})
	}
	_ = group.Wait()
	for _, line := range results {
		if line != "" {
			fmt.Fprintln(stdout, line)
		}
	}
	return errors.Join(faults...)
}
