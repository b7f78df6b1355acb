package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/test/postgrestest"
)

// voter is the nth of the voters.
func voter(n int) poll.VoterID {
	var id poll.VoterID
	binary.BigEndian.PutUint64(id[8:], uint64(n)+1)
	return id
}

func TestLatestVoteCounts(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	vote := func(n int, choice poll.Choice, at poll.Timestamp) poll.Vote {
		return poll.Vote{Voter: voter(n), Choice: choice, CastAt: at}
	}
	save(t, database, 3, vote(1, poll.A, 10), vote(2, poll.A, 10), vote(3, poll.B, 10))
	wantTally(t, server, address, poll.Tally{A: 2, B: 1})

	save(t, database, 0, vote(1, poll.A, 10), vote(2, poll.A, 10), vote(3, poll.B, 10)) // delivered twice
	wantTally(t, server, address, poll.Tally{A: 2, B: 1})

	save(t, database, 1, vote(1, poll.B, 11)) // changed
	wantTally(t, server, address, poll.Tally{A: 1, B: 2})

	save(t, database, 0, vote(1, poll.A, 9)) // late
	wantTally(t, server, address, poll.Tally{A: 1, B: 2})

	save(t, database, 1, vote(1, poll.B, 12)) // again the same choice
	wantTally(t, server, address, poll.Tally{A: 1, B: 2})

	save(t, database, 1, vote(4, poll.B, 1), vote(4, poll.A, 2), vote(4, poll.B, 1)) // several in one batch
	wantTally(t, server, address, poll.Tally{A: 2, B: 2})

	save(t, database, 1, vote(2, poll.B, 10)) // with the same timestamp: the greater choice
	save(t, database, 0, vote(2, poll.A, 10))
	wantTally(t, server, address, poll.Tally{A: 1, B: 3})

	save(t, database, 0) // none at all
	wantTally(t, server, address, poll.Tally{A: 1, B: 3})

	save(t, database, 1, vote(5, poll.A, poll.TimestampOf(time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC))))
	wantTally(t, server, address, poll.Tally{A: 2, B: 3})
}

// A batch larger than one transaction, with every microsecond kept.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	const voters = 25_000
	var votes []poll.Vote
	for n := range voters {
		votes = append(votes, poll.Vote{Voter: voter(n), Choice: poll.Choices()[n%2], CastAt: poll.Timestamp(1770593400123457 + n)})
	}
	save(t, database, voters, votes...)
	wantTally(t, server, address, poll.Tally{A: voters / 2, B: voters / 2})
	save(t, database, 0, votes...)
	var wrong int
	err := server.Connect(t, address.Database).QueryRow(t.Context(), `SELECT count(*) FROM votes WHERE
		extract(epoch FROM cast_at) * 1000000 - 1770593400123457 + 1 <> ('x' || right(voter::text, 8))::bit(32)::int`).Scan(&wrong)
	if err != nil || wrong != 0 {
		t.Errorf("%d votes have another timestamp than they were cast with (%v)", wrong, err)
	}
}

// After many batches of new voters alone comes one with voters who are known, and then new ones again. Whatever the batches before were like, each
// vote counts as if it had come alone.
func TestKnownVotersAmongNewOnes(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	const size = 1000
	batch := func(first int, choice poll.Choice, at poll.Timestamp) []poll.Vote {
		votes := make([]poll.Vote, size)
		for i := range votes {
			votes[i] = poll.Vote{Voter: voter(first + i), Choice: choice, CastAt: at}
		}
		return votes
	}
	next := 0
	for _, known := range []int{0, 1, size / 2, size} {
		for range 5 { // new ones alone
			save(t, database, size, batch(next, poll.A, 10)...)
			next += size
		}
		before := next
		save(t, database, size, batch(next-known, poll.B, 11)...) // some of them change their votes
		next += size - known
		save(t, database, 0, batch(before-size, poll.B, 9)...) // late, and known, all of them
	}
	var changed int64 = 1 + size/2 + size
	fresh := int64(4*size) - changed
	wantTally(t, server, address, poll.Tally{A: 20*size - changed, B: fresh + changed})
}

// Many workers save votes of the same voters at once, in different orders: the tally is what one worker would have made.
func TestWorkersSideBySide(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small batches": 200, "large batches": 1500} {
		t.Run(name, func(t *testing.T) { workersSideBySide(t, size) })
	}
}

func workersSideBySide(t *testing.T, size int) {
	server, address := newDatabase(t)
	const workers, rounds = 8, 12
	voters := 3 * size
	var all []poll.Vote
	batches := make([][][]poll.Vote, workers)
	random := rand.New(rand.NewPCG(3, 4))
	for w := range batches {
		for range rounds {
			var batch []poll.Vote
			for range size {
				batch = append(batch, poll.Vote{Voter: voter(random.IntN(voters)), Choice: poll.Choices()[random.IntN(2)],
					CastAt: poll.Timestamp(1 + random.IntN(500))})
			}
			batches[w] = append(batches[w], batch)
			all = append(all, batch...)
		}
	}
	failures := make(chan error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		database := newVotes(t, address) // all set up the schema at once, too
		wait.Go(func() {
			for _, batch := range batches[w] {
				if _, err := database.Save(t.Context(), batch); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	var want poll.Tally
	for _, vote := range poll.Latest(all) {
		if vote.Choice == poll.A {
			want.A++
		} else {
			want.B++
		}
	}
	wantTally(t, server, address, want)
}

// Whoever changes votes by hand, the tally follows.
func TestTallyFollowsChangesByHand(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	for n := range 10 {
		save(t, database, 1, poll.Vote{Voter: voter(n), Choice: poll.A, CastAt: 1})
	}
	hand := server.Connect(t, address.Database)
	for _, step := range []struct {
		statement string
		want      poll.Tally
	}{
		{"DELETE FROM votes WHERE voter IN (SELECT voter FROM votes LIMIT 3)", poll.Tally{A: 7}},
		{"UPDATE votes SET choice = 'b' WHERE voter IN (SELECT voter FROM votes LIMIT 2)", poll.Tally{A: 5, B: 2}},
		{"TRUNCATE votes", poll.Tally{}},
	} {
		if _, err := hand.Exec(t.Context(), step.statement); err != nil {
			t.Fatal(err)
		}
		wantTally(t, server, address, step.want)
	}
}

func TestScoreboardBeforeAnyWorker(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	scoreboard := newScoreboard(t, address)
	for range 2 {
		if tally, err := scoreboard.Tally(t.Context()); err != nil || tally != (poll.Tally{}) {
			t.Errorf("the tally is %+v (%v), want none and no error", tally, err)
		}
	}
	database := newVotes(t, address)
	if err := database.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, database, 1, poll.Vote{Voter: voter(1), Choice: poll.B, CastAt: 1})
	if tally, err := scoreboard.Tally(t.Context()); err != nil || tally.B != 1 {
		t.Errorf("the tally is %+v (%v), want the vote", tally, err)
	}
	// Somebody puts an empty database in its place.
	hand := server.Connect(t, address.Database)
	if _, err := hand.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	if tally, err := scoreboard.Tally(t.Context()); err != nil || tally != (poll.Tally{}) {
		t.Errorf("the tally is %+v (%v), want none and no error", tally, err)
	}
	save(t, database, 1, poll.Vote{Voter: voter(1), Choice: poll.B, CastAt: 1})
	wantTally(t, server, address, poll.Tally{B: 1})
}

func TestDeadLettersAreKept(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	letters := []poll.DeadLetter{{Queue: "redis01", ID: "1-0", Reason: `"why"`, Content: `"a"="\x00'; DROP TABLE votes; --"`}}
	for range 2 {
		if err := database.KeepDeadLetters(t.Context(), letters); err != nil {
			t.Fatal(err)
		}
	}
	var content string
	err := server.Connect(t, address.Database).QueryRow(t.Context(), "SELECT content FROM unreadable_entries").Scan(&content)
	if err != nil || content != letters[0].Content {
		t.Errorf("kept %q (%v), want %q", content, err, letters[0].Content)
	}
}

// What was saved is there after PostgreSQL was killed. While it is down, saving and reading are unavailable. Afterwards
// both go on by themselves.
func TestVotesSurviveAKill(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	address := addressOf(server, "postgres")
	database, scoreboard := newVotes(t, address), newScoreboard(t, address)
	save(t, database, 1, poll.Vote{Voter: voter(1), Choice: poll.A, CastAt: 1})
	if _, err := scoreboard.Tally(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	_, err := database.Save(t.Context(), []poll.Vote{{Voter: voter(2), Choice: poll.B, CastAt: 1}})
	if !errors.Is(err, poll.ErrUnavailable) || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("saving gives %v, want ErrUnavailable and no password", err)
	}
	if _, err := scoreboard.Tally(t.Context()); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the tally gives %v, want ErrUnavailable", err)
	}
	server.Restart(t)
	save(t, database, 1, poll.Vote{Voter: voter(2), Choice: poll.B, CastAt: 1})
	wantTally(t, server, address, poll.Tally{A: 1, B: 1})
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	_, address := newDatabase(t)
	address.Password = "wrong-guess"
	_, err := newVotes(t, address).Save(t.Context(), []poll.Vote{{Voter: voter(1), Choice: poll.A, CastAt: 1}})
	if err == nil || strings.Contains(err.Error(), "wrong-guess") || !strings.Contains(err.Error(), "authentication failed") {
		t.Errorf("saving gives %v, want that the authentication failed, without the password", err)
	}
}

// No variable of the client library changes where votes go.
func TestEnvironmentDoesNotChangeTheAddress(t *testing.T) {
	server, address := newDatabase(t)
	for key, value := range map[string]string{"PGHOST": "nowhere.invalid", "PGPORT": "1", "PGDATABASE": "other",
		"PGUSER": "nobody", "PGPASSWORD": "other", "PGSSLMODE": "require", "PGTARGETSESSIONATTRS": "standby",
		"PGOPTIONS": "-c default_transaction_read_only=on"} {
		t.Setenv(key, value)
	}
	save(t, newVotes(t, address), 1, poll.Vote{Voter: voter(1), Choice: poll.A, CastAt: 1})
	for _, key := range []string{"PGSSLMODE", "PGTARGETSESSIONATTRS", "PGOPTIONS"} {
		t.Setenv(key, "")
	}
	wantTally(t, server, address, poll.Tally{A: 1})
}

// Storing is measured against what the database can do at most: a plain COPY of the same rows into the same table
// without its triggers, and against one INSERT per vote. Run it with -bench.
func BenchmarkSave(b *testing.B) {
	server, address := newDatabase(b)
	database := newVotes(b, address)
	if err := database.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	hand := server.Connect(b, address.Database)
	const batch = 5000
	next := func() []poll.Vote {
		votes := make([]poll.Vote, batch)
		for i := range votes {
			votes[i] = poll.Vote{Voter: poll.NewVoterID(), Choice: poll.Choices()[i%2], CastAt: poll.Timestamp(i + 1)}
		}
		return votes
	}
	report := func(b *testing.B, started time.Time, votes int) {
		b.ReportMetric(float64(votes)/time.Since(started).Seconds(), "votes/s")
	}
	b.Run("worker", func(b *testing.B) {
		batches := make([][]poll.Vote, b.N)
		for i := range batches {
			batches[i] = next()
		}
		b.ResetTimer()
		started := time.Now()
		for _, votes := range batches {
			if _, err := database.Save(b.Context(), votes); err != nil {
				b.Fatal(err)
			}
		}
		report(b, started, b.N*batch)
	})
	b.Run("copy", func(b *testing.B) {
		if _, err := hand.Exec(b.Context(), "CREATE TABLE IF NOT EXISTS bare (voter uuid PRIMARY KEY, choice \"char\", cast_at timestamptz)"); err != nil {
			b.Fatal(err)
		}
		batches := make([][][]any, b.N)
		for i := range batches {
			for _, vote := range next() {
				batches[i] = append(batches[i], []any{[16]byte(vote.Voter), rune(vote.Choice), vote.CastAt.Time()})
			}
		}
		b.ResetTimer()
		started := time.Now()
		for _, rows := range batches {
			if err := copyRows(b.Context(), hand, rows); err != nil {
				b.Fatal(err)
			}
		}
		report(b, started, b.N*batch)
	})
	b.Run("one insert per vote", func(b *testing.B) {
		votes := next()
		b.ResetTimer()
		started := time.Now()
		for i := range b.N {
			vote := votes[i%len(votes)]
			_, err := hand.Exec(b.Context(), "INSERT INTO bare VALUES ($1, $2, $3) ON CONFLICT (voter) DO UPDATE SET choice = excluded.choice",
				[16]byte(vote.Voter), rune(vote.Choice), vote.CastAt.Time())
			if err != nil {
				b.Fatal(err)
			}
		}
		report(b, started, b.N)
	})
}

// copyRows is the fastest way into a table.
func copyRows(ctx context.Context, connection *pgx.Conn, rows [][]any) error {
	_, err := connection.CopyFrom(ctx, pgx.Identifier{"bare"}, []string{"voter", "choice", "cast_at"}, pgx.CopyFromRows(rows))
	return err
}
