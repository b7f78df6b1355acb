package chaos

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
	"swarm-scale/test/voters"
)

// patience is how long the tests wait for events that take a few seconds on an idle machine.
const patience = 90 * time.Second

func TestMain(m *testing.M) { os.Exit(programtest.Main(m)) }

// system is the whole poll. A test adds the parts that it needs.
type system struct {
	redis     []*redistest.Server
	losses    losses
	postgres  *postgrestest.Server // the one that takes writes
	standby   *postgrestest.Server // nil: there is none
	failOvers int
	database  string // name; empty stands for postgres
	frontends []*programtest.Program
	workers   []*programtest.Program
	copies    int // of each vote; 0: 1
	results   *programtest.Program
}

// newSystem is a system with a database of its own on the PostgreSQL server that the tests share. It is for tests that do not
// stop that server.
func newSystem(t testing.TB) *system {
	t.Helper()
	server := postgrestest.Shared(t)
	return &system{postgres: server, database: server.NewDatabase(t)}
}

// addFrontend starts a frontend and its Redis. As on the cluster, Redis writes each vote to its disk before it answers.
func (s *system) addFrontend(t testing.TB) *programtest.Program {
	t.Helper()
	server := redistest.Start(t)
	s.redis = append(s.redis, server)
	frontend := programtest.Start(t, programtest.WebVoteApp, fmt.Sprintf("WEB_VOTE_NUMBER=%02d", len(s.redis)),
		"REDIS_ADDRESS="+server.Address, "VOTER_KEY="+programtest.VoterKey, "BALLOT_AGE=0")
	s.frontends = append(s.frontends, frontend)
	return frontend
}

// addCopyingFrontends starts so many frontends, each with a Redis. Each vote is in two of these.
func (s *system) addCopyingFrontends(t testing.TB, count int) {
	t.Helper()
	s.copies = 2
	for range count {
		s.redis = append(s.redis, redistest.Start(t))
	}
	for i, own := range s.redis {
		var partners []string
		for j := range s.redis[1:] {
			partners = append(partners, s.redis[(i+1+j)%len(s.redis)].Address)
		}
		s.frontends = append(s.frontends, programtest.Start(t, programtest.WebVoteApp, fmt.Sprintf("WEB_VOTE_NUMBER=%02d", i+1), "REDIS_ADDRESS="+own.Address,
			fmt.Sprintf("VOTE_COPIES=%d", s.copies), "REDIS_PARTNERS="+strings.Join(partners, " "), "VOTER_KEY="+programtest.VoterKey, "BALLOT_AGE=0"))
	}
}

// losses are the disks of queues that were lost.
type losses struct {
	count int
	last  time.Time
	of    *redistest.Server
}

// betweenLosses is the least time between the losses of two disks. It is longer than a write may take. Until the votes that the one had are
// stored, the loss of the other one is the loss of both copies, which nobody promises to survive.
const betweenLosses = 8 * time.Second

// workersHang is for how long no vote is stored before a disk is lost.
const workersHang = 500 * time.Millisecond

// killWithDisk kills a Redis, with its disk unless that could be the second copy of a vote whose first one was lost.
func (s *system) killWithDisk(t testing.TB, server *redistest.Server) {
	t.Helper()
	spared := s.losses.of != server && time.Since(s.losses.last) < betweenLosses
	if !spared && s.losses.of != nil && s.losses.of != server {
		oldest, err := server.Oldest(redis.Stream)
		spared = err != nil || !oldest.IsZero() && oldest.Before(s.losses.last.Add(betweenLosses))
	}
	if spared {
		server.Kill()
		return
	}
	// The workers hang before, or there would be nothing in the queue to lose.
	for _, worker := range s.workers {
		if worker.Pause() == nil {
			defer func() { _ = worker.Resume() }() // it may have been killed; one that the plan has paused goes on early
		}
	}
	time.Sleep(workersHang)
	server.Lose(t)
	s.losses.count++
	s.losses.last, s.losses.of = time.Now(), server
}

// addWorker starts a worker for all queues.
func (s *system) addWorker(t testing.TB) *programtest.Program {
	t.Helper()
	var addresses []string
	for _, server := range s.redis {
		addresses = append(addresses, server.Address)
	}
	return s.addWorkerAt(t, s.postgres.Port, addresses...)
}

// failOver loses the server that takes writes, with its disk. Its standby takes over, as Patroni would have it.
func (s *system) failOver(t testing.TB) {
	t.Helper()
	s.postgres.KillAll(t)
	s.postgres.Remove()
	s.standby.Promote(t)
	s.postgres, s.standby = s.standby, nil
	s.failOvers++
}

// addStandby starts a standby on the address that the other server does not have.
func (s *system) addStandby(t testing.TB) {
	t.Helper()
	for _, host := range storeHosts() {
		if host != s.postgres.Host {
			s.standby = s.postgres.Standby(t, host)
		}
	}
}

// storeHosts are the addresses of two servers.
func storeHosts() []string { return []string{"127.0.0.1", "127.0.0.2"} }

// addWorkerAt starts a worker for these queues and the database at this port of 127.0.0.1.
func (s *system) addWorkerAt(t testing.TB, port int, addresses ...string) *programtest.Program {
	t.Helper()
	worker := programtest.Start(t, programtest.VoteWorker, append(s.variables(port),
		fmt.Sprintf("WORKER_NUMBER=%02d", len(s.workers)+1), fmt.Sprintf("VOTE_COPIES=%d", max(s.copies, 1)), "REDIS_ADDRESSES="+strings.Join(addresses, ","))...)
	s.workers = append(s.workers, worker)
	return worker
}

// addResults starts the results page.
func (s *system) addResults(t testing.TB) {
	t.Helper()
	s.results = programtest.Start(t, programtest.ResultsApp, s.variables(s.postgres.Port)...)
}

// variables are the environment variables for the database at this port.
func (s *system) variables(port int) []string {
	hosts := storeHosts()[:1]
	if s.standby != nil {
		hosts = storeHosts()
	}
	return []string{"POSTGRES_HOST=" + strings.Join(hosts, " "), "POSTGRES_PORT=" + strconv.Itoa(port), "POSTGRES_USER=postgres",
		"POSTGRES_PASSWORD=" + postgrestest.Password, "POSTGRES_DATABASE=" + s.database}
}

// programs are all programs that were started.
func (s *system) programs() []*programtest.Program {
	all := append(append([]*programtest.Program{}, s.frontends...), s.workers...)
	if s.results != nil {
		all = append(all, s.results)
	}
	return all
}

// queued is how many votes all queues hold.
func (s *system) queued() (int, error) {
	var sum int
	for _, server := range s.redis {
		votes, err := redistest.Votes(server.Address, redis.Stream)
		if err != nil {
			return 0, err
		}
		sum += votes
	}
	return sum, nil
}

// waitUntilDrained waits until the queues are empty. Then every vote in them is stored.
func (s *system) waitUntilDrained(t testing.TB) {
	t.Helper()
	eventually.Succeeds(t, patience, "the queues are empty", func() error {
		size, err := s.queued()
		if err == nil && size != 0 {
			err = fmt.Errorf("%d votes are queued", size)
		}
		return err
	})
}

// connect opens a connection to the database.
func (s *system) connect(t testing.TB) *pgx.Conn {
	t.Helper()
	return s.postgres.Connect(t, cmp.Or(s.database, "postgres"))
}

// stored is each voter's choice in the database.
func (s *system) stored(t testing.TB) map[poll.VoterID]poll.Choice {
	t.Helper()
	connection := s.connect(t)
	defer connection.Close(t.Context()) // before the end of the test: it is called often
	stored, err := voters.ReadStored(t.Context(), connection)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// checkBooks compares the database with the voters' books, and the results page with the database. It returns the tally.
func (s *system) checkBooks(t testing.TB, books *voters.Books) poll.Tally {
	t.Helper()
	stored := s.stored(t)
	if err := books.Compare(stored); err != nil {
		t.Error(err)
	}
	tally := voters.TallyOf(stored)
	if s.results == nil {
		return tally
	}
	eventually.Succeeds(t, patience, "the results page shows what is stored", func() error {
		shown, err := voters.ReadResults(t.Context(), s.results.URL)
		if err == nil && shown != (voters.Results{Tally: tally, Live: true}) {
			err = fmt.Errorf("it shows %+v, want %+v", shown, tally)
		}
		return err
	})
	return tally
}

// siteOf is the vote page of one frontend.
func siteOf(frontend *programtest.Program) voters.Site { return voters.Site{URL: frontend.URL} }

// newVoters opens the vote page for so many new voters.
func newVoters(t testing.TB, books *voters.Books, site voters.Site, count int) []*voters.Voter {
	t.Helper()
	newcomers := make([]*voters.Voter, count)
	for i := range newcomers {
		voter, err := books.NewVoter()
		if err != nil {
			t.Fatal(err)
		}
		voter.Patience = patience
		if err := voter.Look(t.Context(), site).Err(); err != nil {
			t.Fatal(err)
		}
		newcomers[i] = voter
	}
	return newcomers
}

// ask gets a page.
func ask(t testing.TB, address string) (status int, body string, err error) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}
