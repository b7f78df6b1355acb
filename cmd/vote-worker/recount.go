package main

import (
	"context"
	"fmt"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/service"
)

// recountTimeout is how long counting may take. A million votes take less than a second, and as long again for a lock.
const recountTimeout = time.Minute

// recount counts the stored votes again and says what the tally was and is. It is for a database that somebody changed by hand and
// does not trust.
func recount(ctx context.Context, call service.Call) int {
	if len(call.Arguments) > 0 {
		fmt.Fprintf(call.Stderr, "usage: %s recount\n%s recount takes no arguments, but has %q\n", program, program, call.Arguments)
		return service.ExitSettings
	}
	settings := readCommon(call.Environment)
	if err := call.Environment.Err(); err != nil {
		return service.SettingsFault(call.Stderr, program+" recount", err)
	}
	ctx, cancel := context.WithTimeout(ctx, recountTimeout)
	defer cancel()
	votes, err := postgres.NewVotes(postgres.Address(settings.database), program+" recount", 1)
	if err != nil {
		fmt.Fprintf(call.Stderr, "%s recount: %v\n", program, err)
		return service.ExitFailure
	}
	defer votes.Close()
	before, after, err := votes.Recount(ctx)
	if err != nil {
		fmt.Fprintf(call.Stderr, "%s recount: the votes are not counted: %v\n", program, err)
		return service.ExitFailure
	}
	verdict := "the tally was right"
	if before != after {
		verdict = "the tally was wrong: it said " + inWords(before)
	}
	fmt.Fprintf(call.Stdout, "counted %s; %s\n", inWords(after), verdict)
	return service.ExitOK
}

// inWords is a tally in one line: "3 votes (a: 2, b: 1)".
func inWords(tally poll.Tally) string {
	return fmt.Sprintf("%d votes (a: %d, b: %d)", tally.Total(), tally.A, tally.B)
}
