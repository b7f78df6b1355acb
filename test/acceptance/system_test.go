package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
	"swarm-scale/test/voters"
)

// patience is how long the tests wait for events that take a second on an idle machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	code := programtest.Main(m)
	endChromium()
	os.Exit(code)
}

// system is the whole poll, with two frontends.
type system struct {
	redis     []*redistest.Server
	postgres  *postgrestest.Server
	database  []string // environment variables
	dbName    string
	frontends []*programtest.Program
	worker    *programtest.Program
	results   *programtest.Program
	books     voters.Books
}

// startSystem starts all parts.
func startSystem(t testing.TB) *system {
	t.Helper()
	s := startWithoutWorker(t)
	s.startWorker(t)
	return s
}

// startWithoutWorker starts all parts but the worker.
func startWithoutWorker(t testing.TB, variables ...string) *system {
	t.Helper()
	s := &system{postgres: postgrestest.Shared(t)}
	s.dbName = s.postgres.NewDatabase(t)
	s.database = []string{"POSTGRES_HOST=127.0.0.1", "POSTGRES_PORT=" + strconv.Itoa(s.postgres.Port),
		"POSTGRES_DATABASE=" + s.dbName, "POSTGRES_PASSWORD=" + postgrestest.RolePassword}
	s.postgres.SetRoles(t, s.dbName, "../../app/scripts/roles.sql") // each program logs in as its own role
	for i := 1; i <= 2; i++ {
		redis := redistest.Start(t)
		s.redis = append(s.redis, redis)
		s.frontends = append(s.frontends, programtest.Start(t, programtest.WebVoteApp, append(variables,
			fmt.Sprintf("WEB_VOTE_NUMBER=%02d", i), "REDIS_ADDRESS="+redis.Address, "VOTER_KEY="+programtest.VoterKey, "BALLOT_AGE=0")...))
	}
	s.results = programtest.Start(t, programtest.ResultsApp, append(variables, s.database...)...)
	return s
}

func (s *system) startWorker(t testing.TB) {
	t.Helper()
	s.worker = programtest.Start(t, programtest.VoteWorker, append([]string{"WORKER_NUMBER=01",
		"REDIS_ADDRESSES=" + s.redis[0].Address + "," + s.redis[1].Address}, s.database...)...)
}

// siteOf is the vote page of one frontend, under the name that all of them have behind the load balancer.
func siteOf(frontend *programtest.Program) voters.Site {
	return voters.Site{URL: frontend.URL, Host: "votingapp.local"}
}

// newVoter is a new voter who has opened the vote page.
func (s *system) newVoter(t testing.TB, frontend *programtest.Program) *voters.Voter {
	t.Helper()
	voter, err := s.books.NewVoter()
	if err != nil {
		t.Fatal(err)
	}
	voter.Patience = patience
	if err := voter.Look(t.Context(), siteOf(frontend)).Err(); err != nil {
		t.Fatal(err)
	}
	return voter
}

// mustVote votes, and ends the test if the vote is not acknowledged.
func mustVote(t testing.TB, voter *voters.Voter, frontend *programtest.Program, choice poll.Choice) {
	t.Helper()
	if err := voter.Vote(t.Context(), siteOf(frontend), choice).Err(); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, response *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func get(t testing.TB, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address)
	return read(t, response, err)
}

// wantResults waits until the results page has these numbers, live.
func (s *system) wantResults(t testing.TB, a, b int64) {
	t.Helper()
	s.wantShown(t, voters.Results{Tally: poll.Tally{A: a, B: b}, Live: true})
}

// wantShown waits until the results page shows this.
func (s *system) wantShown(t testing.TB, want voters.Results) {
	t.Helper()
	eventually.Succeeds(t, patience, fmt.Sprintf("the results are %+v", want), func() error {
		results, err := voters.ReadResults(t.Context(), s.results.URL)
		if err == nil && results != want {
			err = fmt.Errorf("they are %+v", results)
		}
		return err
	})
}

// metric is the sum of a metric's values over its labels.
func metric(t testing.TB, program *programtest.Program, name string) float64 {
	t.Helper()
	_, text := get(t, program.Metrics+"/metrics")
	var sum float64
	for line := range strings.SplitSeq(text, "\n") {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}
