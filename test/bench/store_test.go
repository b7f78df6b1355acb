package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/redis"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
)

// storeVotes is how many votes are stored in a measurement. Each is by another voter, and so a new row.
const storeVotes = 400_000

// TestStore measures how fast workers move votes from queues to the database, against the database's own limit and against
// the worker of 2016.
func TestStore(t *testing.T) {
	parallelUnlessFull(t)
	server := postgrestest.Start(t)
	votes := newVotes(size(storeVotes))
	databases := databaseVariables(server, newDatabase(t, server))
	limit := copyRate(t, server, votes)
	loop := insertRate(t, server, votes)

	one, worker := drainRate(t, server, databases, votes, 1, 1)
	limit = (limit + copyRate(t, server, votes)) / 2 // measured before and after, because the machine may have other load
	report(t, figure{"storing votes, one worker, one queue, against COPY", one / limit, atLeast(0.7), "",
		fmt.Sprintf("%.0f votes/s, COPY %.0f rows/s", one, limit)})
	report(t, figure{"storing votes, against one INSERT per vote", one / loop, atLeast(50), "×",
		fmt.Sprintf("%.0f INSERTs/s", loop)})
	copied := drainCopiesRate(t, server, databases, votes)
	report(t, figure{"storing votes that are in two queues, against one", copied / one, atLeast(0.75), "", fmt.Sprintf("%.0f votes/s, one worker", copied)})
	peak, err := worker.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	report(t, figure{fmt.Sprintf("vote-worker's memory, backlog of %d", len(votes)), mebibytes(peak), atMost(128), "MiB", "peak"})

	two, _ := drainRate(t, server, databases, votes, 2, 2)
	report(t, figure{"two workers on two queues, against one on one", two / one, target{}, "×", fmt.Sprintf("%.0f votes/s", two)})
	shared, _ := drainRate(t, server, databases, votes, 1, 2)
	report(t, figure{"two workers on one queue, against one", shared / one, target{}, "×", fmt.Sprintf("%.0f votes/s", shared)})
}

func newVotes(n int) []poll.Vote {
	votes := make([]poll.Vote, n)
	for i := range votes {
		votes[i] = poll.Vote{Voter: poll.NewVoterID(), Choice: poll.Choices()[i%2], CastAt: poll.TimestampOf(time.Now())}
	}
	return votes
}

// newDatabase makes a database with the poll's tables and returns its name.
func newDatabase(t *testing.T, server *postgrestest.Server) string {
	t.Helper()
	name := server.NewDatabase(t)
	store, err := postgres.NewVotes(postgres.Address{Servers: []string{server.Address()}, User: "postgres", Database: name,
		Password: postgrestest.Password}, "bench", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return name
}

// emptyCopy makes an empty table like that of the votes, with the same index and without triggers.
func emptyCopy(t *testing.T, server *postgrestest.Server) *pgx.Conn {
	t.Helper()
	connection := server.Connect(t, newDatabase(t, server))
	if _, err := connection.Exec(t.Context(), "CREATE TABLE copies (LIKE votes INCLUDING ALL)"); err != nil {
		t.Fatal(err)
	}
	return connection
}

// copyRate is how many rows per second the database stores in one COPY, commit included.
func copyRate(t *testing.T, server *postgrestest.Server, votes []poll.Vote) float64 {
	t.Helper()
	connection := emptyCopy(t, server)
	defer connection.Close(t.Context())
	started := time.Now()
	n, err := connection.CopyFrom(t.Context(), pgx.Identifier{"copies"}, []string{"voter", "choice", "cast_at"},
		pgx.CopyFromSlice(len(votes), func(i int) ([]any, error) {
			return []any{[16]byte(votes[i].Voter), rune(votes[i].Choice), votes[i].CastAt.Time()}, nil
		}))
	if err != nil || n != int64(len(votes)) {
		t.Fatalf("COPY took %d rows of %d: %v", n, len(votes), err)
	}
	return float64(n) / time.Since(started).Seconds()
}

// insertRate is how many votes per second a loop of INSERTs stores, with one commit for each.
func insertRate(t *testing.T, server *postgrestest.Server, votes []poll.Vote) float64 {
	t.Helper()
	connection := emptyCopy(t, server)
	defer connection.Close(t.Context())
	started := time.Now()
	stored := 0
	for _, vote := range votes {
		_, err := connection.Exec(t.Context(), "INSERT INTO copies VALUES ($1, $2, $3)",
			[16]byte(vote.Voter), rune(vote.Choice), vote.CastAt.Time())
		if err != nil {
			t.Fatal(err)
		}
		if stored++; time.Since(started) > length(5*time.Second) {
			break
		}
	}
	return float64(stored) / time.Since(started).Seconds()
}

// drainRate is how many votes per second that many workers store from that many queues. The queues hold all votes before the
// workers start, and the time ends when they are empty. It also returns the first worker.
func drainRate(t *testing.T, server *postgrestest.Server, database []string, votes []poll.Vote, queues, workers int) (float64, *programtest.Program) {
	t.Helper()
	truncate(t, server, database)
	servers := make([]*redistest.Server, queues)
	addresses := make([]string, queues)
	var group errgroup.Group
	for i := range servers {
		servers[i] = redistest.Start(t, "--appendfsync", "everysec")
		addresses[i] = servers[i].Address
		part := votes[i*len(votes)/queues : (i+1)*len(votes)/queues]
		group.Go(func() error { return fill(t, addresses[i], part) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	programtest.Path(t, programtest.VoteWorker) // built before the clock runs
	running := make([]*programtest.Program, workers)
	started := time.Now()
	for i := range running {
		queue := addresses[i%queues]
		running[i] = programtest.Start(t, programtest.VoteWorker, append([]string{
			fmt.Sprintf("WORKER_NUMBER=%02d", i+1), "REDIS_ADDRESSES=" + queue}, database...)...)
	}
	waitEmpty(t, servers...)
	took := time.Since(started)
	if stored := count(t, server, database); stored != int64(len(votes)) {
		t.Fatalf("%d votes are stored, want %d", stored, len(votes))
	}
	for _, worker := range running[1:] {
		worker.Kill()
	}
	for _, redis := range servers {
		redis.Kill()
	}
	return float64(len(votes)) / took.Seconds(), running[0]
}

// drainCopiesRate is how many votes per second one worker stores from two queues that both have all of them. The queues are filled before the
// worker starts, and the time ends when both are empty.
func drainCopiesRate(t *testing.T, server *postgrestest.Server, database []string, votes []poll.Vote) float64 {
	t.Helper()
	truncate(t, server, database)
	own, partner := redistest.Start(t, "--appendfsync", "everysec"), redistest.Start(t, "--appendfsync", "everysec")
	queue, err := redis.NewCopiedQueue(own.Address, redis.Copies{Number: 2, Partners: []string{partner.Address}})
	if err != nil {
		t.Fatal(err)
	}
	err = fillQueue(t, queue, votes)
	queue.Close()
	if err != nil {
		t.Fatal(err)
	}
	programtest.Path(t, programtest.VoteWorker)
	started := time.Now()
	worker := programtest.Start(t, programtest.VoteWorker, append([]string{"WORKER_NUMBER=01", "VOTE_COPIES=2", "REDIS_ADDRESSES=" + own.Address + " " + partner.Address}, database...)...)
	waitEmpty(t, own, partner)
	took := time.Since(started)
	if stored := count(t, server, database); stored != int64(len(votes)) {
		t.Fatalf("%d votes are stored, want %d", stored, len(votes))
	}
	worker.Kill()
	own.Kill()
	partner.Kill()
	return float64(len(votes)) / took.Seconds()
}

// waitEmpty waits until the queues are empty.
func waitEmpty(t *testing.T, servers ...*redistest.Server) {
	t.Helper()
	started := time.Now()
	for _, server := range servers {
		for server.Do(t, "XLEN", "votes") != "0" {
			if time.Since(started) > 5*time.Minute {
				t.Fatal("the queue is not empty after 5 minutes")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// fill appends the votes to the queue at address, host:port.
func fill(t *testing.T, address string, votes []poll.Vote) error {
	queue, err := redis.NewQueue(address)
	if err != nil {
		return err
	}
	defer queue.Close()
	return fillQueue(t, queue, votes)
}

// fillQueue appends the votes to a queue.
func fillQueue(t *testing.T, queue *redis.Queue, votes []poll.Vote) error {
	var group errgroup.Group
	const voters = 512
	for i := range voters {
		group.Go(func() error {
			for v := i; v < len(votes); v += voters {
				if err := queue.Append(t.Context(), votes[v]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// databaseName is the database's name among the environment variables.
func databaseName(variables []string) string {
	for _, variable := range variables {
		if name, ok := strings.CutPrefix(variable, "POSTGRES_DATABASE="); ok {
			return name
		}
	}
	return ""
}

func truncate(t *testing.T, server *postgrestest.Server, database []string) {
	t.Helper()
	connection := server.Connect(t, databaseName(database))
	defer connection.Close(t.Context())
	if _, err := connection.Exec(t.Context(), "TRUNCATE votes"); err != nil {
		t.Fatal(err)
	}
}

// count is how many votes are stored.
func count(t *testing.T, server *postgrestest.Server, database []string) (n int64) {
	t.Helper()
	connection := server.Connect(t, databaseName(database))
	defer connection.Close(t.Context())
	if err := connection.QueryRow(t.Context(), "SELECT count(*) FROM votes").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
