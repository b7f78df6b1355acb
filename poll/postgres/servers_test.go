package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
)

const patience = 30 * time.Second

// configure changes a setting of the server.
func configure(t *testing.T, by *pgx.Conn, setting, value string) {
	t.Helper()
	for _, statement := range []string{fmt.Sprintf("ALTER SYSTEM SET %s = '%s'", setting, value), "SELECT pg_reload_conf()"} {
		if _, err := by.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitStandbys waits until commits wait for a standby. The server takes the setting in a moment after it was told to.
func awaitStandbys(t *testing.T, server *postgrestest.Server, hand *pgx.Conn) {
	t.Helper()
	eventually.Succeeds(t, patience, "commits wait for a standby", func() error {
		connection := server.Connect(t, "postgres")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := connection.Exec(ctx, "SELECT pg_logical_emit_message(true, 'test', '')")
		if ctx.Err() == nil {
			return errors.Join(errors.New("a commit did not wait"), err)
		}
		return nil
	})
	eventually.Succeeds(t, patience, "that commit has ended", func() error {
		tag, err := hand.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		if err == nil && tag.RowsAffected() > 0 {
			err = errors.New("it has just been told to")
		}
		return err
	})
}

// A commit whose wait for the standby is cancelled is no commit: the standby may not have it. Storing the votes again waits for the standby, too,
// although they are there.
func TestCommitWithAWarningIsNoCommit(t *testing.T) {
	server := postgrestest.Start(t)
	hand := server.Connect(t, "postgres")
	address := addressOf(server, "postgres")
	database := newVotes(t, address)
	if err := database.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	configure(t, hand, "synchronous_standby_names", "nobody")
	awaitStandbys(t, server, hand)
	for name, voters := range map[string]int{"a statement": 1, "a copy": 1000} {
		votes := make([]poll.Vote, voters)
		for i := range votes {
			votes[i] = poll.Vote{Voter: poll.NewVoterID(), Choice: poll.A, CastAt: poll.TimestampOf(time.Now())}
		}
		letters := []poll.DeadLetter{{Queue: "redis01", ID: name, Reason: "r", Content: "c"}}
		for again := range 2 {
			for what, keep := range map[string]func() error{
				"votes":        func() error { _, err := database.Save(t.Context(), votes); return err },
				"dead letters": func() error { return database.KeepDeadLetters(t.Context(), letters) },
			} {
				ended := make(chan error, 1)
				go func() { ended <- keep() }()
				eventually.Succeeds(t, patience, "the commit waits for the standby", func() error {
					tag, err := hand.Exec(t.Context(), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
					if err == nil && tag.RowsAffected() == 0 {
						err = errors.New("nobody waits")
					}
					return err
				})
				select {
				case err := <-ended:
					if !errors.Is(err, poll.ErrUnavailable) || !strings.Contains(err.Error(), "with a warning") {
						t.Errorf("%s, attempt %d: keeping %s ended with %v, want ErrUnavailable and why", name, again, what, err)
					}
				case <-time.After(patience):
					t.Fatal("it does not end")
				}
			}
		}
	}
	configure(t, hand, "synchronous_standby_names", "")
	save(t, database, 1, poll.Vote{Voter: poll.NewVoterID(), Choice: poll.B, CastAt: poll.TimestampOf(time.Now())})
	wantTally(t, server, address, poll.Tally{A: 1001, B: 1})
}

// Of several servers the one that takes writes is used, also when another one takes its place.
func TestServerThatTakesWritesIsFound(t *testing.T) {
	first, second := postgrestest.Start(t), postgrestest.Start(t)
	hands := map[*postgrestest.Server]*pgx.Conn{first: first.Connect(t, "postgres"), second: second.Connect(t, "postgres")}
	turn := func(server *postgrestest.Server, writes bool) {
		value := "on"
		if writes {
			value = "off"
		}
		configure(t, hands[server], "default_transaction_read_only", value)
	}
	turn(first, true)
	turn(second, false)
	address := addressOf(first, "postgres")
	address.Servers = []string{"127.0.0.1:1", second.Address(), first.Address()}
	database := newVotes(t, address)
	save(t, database, 1, poll.Vote{Voter: poll.NewVoterID(), Choice: poll.A, CastAt: poll.TimestampOf(time.Now())})
	if tally, err := newScoreboard(t, address).Tally(t.Context()); err != nil || tally != (poll.Tally{A: 1}) {
		t.Errorf("the scoreboard says %+v (%v)", tally, err)
	}

	// ALTER SYSTEM works in a transaction that may write.
	for _, server := range []*postgrestest.Server{first, second} {
		if _, err := hands[server].Exec(t.Context(), "SET default_transaction_read_only = off"); err != nil {
			t.Fatal(err)
		}
	}
	turn(first, false)
	turn(second, true)
	vote := poll.Vote{Voter: poll.NewVoterID(), Choice: poll.B, CastAt: poll.TimestampOf(time.Now())}
	// The first server's sessions hear of it a moment later, and may still take the vote.
	eventually.Succeeds(t, patience, "a vote is stored in the second server", func() error {
		if _, err := database.Save(t.Context(), []poll.Vote{vote}); err != nil {
			return err
		}
		_, err := hands[second].Exec(t.Context(), "SELECT 1 / count(*) FROM votes")
		return err
	})
	wantTally(t, second, addressOf(second, "postgres"), poll.Tally{B: 1})
}

func TestServersThatAreNone(t *testing.T) {
	for name, servers := range map[string][]string{"none": nil, "without a port": {"pg"}, "with a bad port": {"pg:http"}, "with a high port": {"pg:70000"}} {
		if _, err := postgres.NewVotes(postgres.Address{Servers: servers, User: "u", Database: "d"}, "test", 1); err == nil || !strings.Contains(err.Error(), "for instance pg:5432") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
