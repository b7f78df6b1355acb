package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll/postgres"
	"swarm-scale/test/bench/load"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
)

const (
	// fewVotes and manyVotes are how many votes the two polls have whose results are compared.
	fewVotes, manyVotes = 1000, 1_000_000
	// viewers is how many viewers watch the results at once.
	viewers = 1000
)

// TestResultsSize compares the results of a small poll with those of a large one: time of the query, time and size of the
// page.
func TestResultsSize(t *testing.T) {
	parallelUnlessFull(t)
	server := postgrestest.Shared(t)
	few, many := newPoll(t, server, fewVotes), newPoll(t, server, size(manyVotes))
	rounds := max(size(1000), 50)
	var queries, pages [2][]time.Duration
	var bytes [2]int
	for i, p := range []*storedPoll{few, many} {
		for range rounds / 10 { // to fill the caches
			p.readTally(t)
		}
		_, bytes[i] = p.readPage(t)
	}
	for range rounds { // in turn, so that other load on the machine slows both
		for i, p := range []*storedPoll{few, many} {
			queries[i] = append(queries[i], p.readTally(t))
			took, _ := p.readPage(t)
			pages[i] = append(pages[i], took)
		}
	}
	votes := fmt.Sprintf("%d votes against %d", many.votes, few.votes)
	report(t, figure{"results, time of the query, " + votes, ratio(queries), atMost(1.2), "",
		fmt.Sprintf("%.0f µs", microseconds(median(queries[1])))})
	report(t, figure{"results, time of the page, " + votes, ratio(pages), atMost(1.2), "",
		fmt.Sprintf("%.0f µs", microseconds(median(pages[1])))})
	report(t, figure{"results, bytes of the page, " + votes, float64(bytes[1]) / float64(bytes[0]), atMost(1.2), "",
		fmt.Sprintf("%d bytes", bytes[1])})
}

// ratio is the second median divided by the first.
func ratio(times [2][]time.Duration) float64 {
	return float64(median(times[1])) / float64(median(times[0]))
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// storedPoll is a database with votes in it, and a results page for it.
type storedPoll struct {
	votes      int
	connection *pgx.Conn
	scoreboard *postgres.Scoreboard
	results    *programtest.Program
	client     *http.Client
}

func newPoll(t *testing.T, server *postgrestest.Server, votes int) *storedPoll {
	t.Helper()
	name := newDatabase(t, server)
	p := &storedPoll{votes: votes, connection: server.Connect(t, name), client: &http.Client{}}
	var err error
	p.scoreboard, err = postgres.NewScoreboard(postgres.Address{Servers: []string{server.Address()}, User: "postgres",
		Database: name, Password: postgrestest.Password}, "bench", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.scoreboard.Close)
	p.vote(t, votes)
	if _, err := p.connection.Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	// All viewers have the address of this machine. One more connection reads the page.
	p.results = programtest.Start(t, programtest.ResultsApp, append(databaseVariables(server, name),
		fmt.Sprintf("VIEWERS_PER_ADDRESS=%d", viewers), fmt.Sprintf("CONNECTIONS_PER_ADDRESS=%d", viewers+1))...)
	return p
}

// vote stores the votes of that many new voters.
func (p *storedPoll) vote(t *testing.T, votes int) {
	t.Helper()
	_, err := p.connection.Exec(t.Context(), `INSERT INTO votes
		SELECT gen_random_uuid(), CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END::"char", now() FROM generate_series(1, $1::int) n`, votes)
	if err != nil {
		t.Fatal(err)
	}
}

func (p *storedPoll) readTally(t *testing.T) time.Duration {
	t.Helper()
	started := time.Now()
	tally, err := p.scoreboard.Tally(context.Background())
	took := time.Since(started)
	if err != nil || tally.Total() != int64(p.votes) {
		t.Fatalf("the tally is %+v (%v), want %d votes", tally, err, p.votes)
	}
	return took
}

func (p *storedPoll) readPage(t *testing.T) (took time.Duration, bytes int) {
	t.Helper()
	started := time.Now()
	response, err := p.client.Get(p.results.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the results page answered with %s (%v)", response.Status, err)
	}
	return time.Since(started), len(body)
}

// TestViewers measures how soon all viewers see a new vote, how many queries they cause, and the memory of the program.
func TestViewers(t *testing.T) {
	parallelUnlessFull(t)
	p := newPoll(t, postgrestest.Shared(t), fewVotes)
	alone := p.queryRate(t)
	watching, err := load.Watch(t.Context(), host(p.results), viewers)
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Close()
	const patience = 30 * time.Second
	if err := watching.Wait(int64(p.votes), patience); err != nil {
		t.Fatal(err)
	}
	watched := p.queryRate(t)
	var delays []time.Duration
	for range max(size(20), 3) {
		p.vote(t, 1)
		p.votes++
		started := time.Now()
		if err := watching.Wait(int64(p.votes), patience); err != nil {
			t.Fatal(err)
		}
		delays = append(delays, time.Since(started))
	}
	peak, err := p.results.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("%d viewers", viewers)
	report(t, figure{what + ", until the last one has a new vote, slowest of " + fmt.Sprint(len(delays)),
		milliseconds(slices.Max(delays)), atMost(1000), "ms", "from the vote's commit"})
	report(t, figure{what + ", queries of the database, against no viewer", watched / alone, atMost(1.2), "",
		fmt.Sprintf("%.1f a second", watched)})
	report(t, figure{"results-app's memory, " + what, mebibytes(peak), atMost(64), "MiB", "peak"})
}

// queryRate is how many times a second the tally is read from the database.
func (p *storedPoll) queryRate(t *testing.T) float64 {
	t.Helper()
	reads := func() (n int64) {
		t.Helper()
		// PostgreSQL's sessions report their statistics once a second.
		if err := p.connection.QueryRow(t.Context(), "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'tally'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	time.Sleep(1500 * time.Millisecond)
	before, started := reads(), time.Now()
	time.Sleep(max(length(20*time.Second), 2*time.Second))
	return float64(reads()-before) / time.Since(started).Seconds()
}
