package bench

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
)

// full measures at full length and judges the figures.
var full = flag.Bool("full", false, "measure at full length and judge the figures by their targets")

// document is the file that the tables are written into.
var document = flag.String("document", "", "write the tables into this Markdown file, at their places")

func TestMain(m *testing.M) {
	flag.Parse()
	code := programtest.Main(m)
	removeBare()
	if *full {
		for _, table := range tables() {
			fmt.Println("\n" + table)
		}
		if n := missed(); n > 0 {
			fmt.Fprintf(os.Stderr, "%d figures miss their targets\n", n)
			code = 1
		}
		if *document != "" {
			if err := writeTables(*document); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// length is how long a measurement lasts: d at full length, otherwise a moment.
func length(d time.Duration) time.Duration {
	if *full {
		return d
	}
	return 300 * time.Millisecond
}

// size is how many votes or rounds a measurement has: n at full length, otherwise a hundredth.
func size(n int) int {
	if *full {
		return n
	}
	return n / 100
}

// connections is how many connections a measurement has: n at full length, otherwise an eighth.
func connections(n int) int {
	if *full {
		return n
	}
	return n / 8
}

// parallelUnlessFull lets tests run in parallel unless they measure at full length.
func parallelUnlessFull(t *testing.T) {
	t.Helper()
	if !*full {
		t.Parallel()
	}
}

// startFrontend starts a vote page whose queue is in the Redis.
func startFrontend(t testing.TB, redis *redistest.Server) *programtest.Program {
	t.Helper()
	return startCopyingFrontend(t, redis)
}

// startCopyingFrontend starts a frontend. With partners, each vote is in its own Redis and in one of theirs.
func startCopyingFrontend(t testing.TB, own *redistest.Server, partners ...*redistest.Server) *programtest.Program {
	t.Helper()
	variables := []string{"WEB_VOTE_NUMBER=01", "REDIS_ADDRESS=" + own.Address, "VOTER_KEY=" + programtest.VoterKey, "BALLOT_AGE=0"}
	if len(partners) > 0 {
		var addresses []string
		for _, partner := range partners {
			addresses = append(addresses, partner.Address)
		}
		variables = append(variables, "VOTE_COPIES=2", "REDIS_PARTNERS="+strings.Join(addresses, " "))
	}
	return programtest.Start(t, programtest.WebVoteApp, variables...)
}

// databaseVariables are the environment variables for a database.
func databaseVariables(server *postgrestest.Server, database string) []string {
	return []string{"POSTGRES_HOST=127.0.0.1", "POSTGRES_PORT=" + strconv.Itoa(server.Port),
		"POSTGRES_DATABASE=" + database, "POSTGRES_USER=postgres", "POSTGRES_PASSWORD=" + postgrestest.Password}
}

// host is where the program listens, host:port.
func host(p *programtest.Program) string { return strings.TrimPrefix(p.URL, "http://") }
