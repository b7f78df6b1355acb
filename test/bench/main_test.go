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

// full runs the measurements at full length, and judges them.
var full = flag.Bool("full", false, "measure at full length and judge the figures by their targets")

// document is where the tables are written to.
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
			fmt.Fprintf(os.Stderr, "%d targets are missed\n", n)
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

// length is how long one measurement lasts: as it is for `make bench`, and a moment in the tests.
func length(d time.Duration) time.Duration {
	if *full {
		return d
	}
	return 300 * time.Millisecond
}

// size is how much one measurement moves: as it is for `make bench`, and a hundredth in the tests.
func size(n int) int {
	if *full {
		return n
	}
	return n / 100
}

// connections is how many voters are connected in one measurement: as it is for `make bench`, and an eighth in the tests.
func connections(n int) int {
	if *full {
		return n
	}
	return n / 8
}

// takeTurns lets the tests run beside each other, unless they measure.
func takeTurns(t *testing.T) {
	t.Helper()
	if !*full {
		t.Parallel()
	}
}

// startFrontend starts a vote page for the Redis.
func startFrontend(t testing.TB, redis *redistest.Server) *programtest.Program {
	t.Helper()
	return programtest.Start(t, programtest.WebVoteApp, "WEB_VOTE_NUMBER=01",
		"REDIS_ADDRESS="+redis.Address, "VOTER_KEY="+programtest.VoterKey)
}

// databaseVariables are the environment variables for the database.
func databaseVariables(server *postgrestest.Server, database string) []string {
	return []string{"POSTGRES_HOST=127.0.0.1", "POSTGRES_PORT=" + strconv.Itoa(server.Port),
		"POSTGRES_DATABASE=" + database, "POSTGRES_PASSWORD=" + postgrestest.Password}
}

// host is the program's address, host:port.
func host(p *programtest.Program) string { return strings.TrimPrefix(p.URL, "http://") }
