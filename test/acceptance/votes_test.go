package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"swarm-scale/app/programs"
	"swarm-scale/poll"
	"swarm-scale/test/eventually"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
	"swarm-scale/test/voters"
)

// Voters vote several times, through both frontends. The results are each one's latest choice.
func TestEveryVoterCountsOnce(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	const count = 60
	random := rand.New(rand.NewPCG(5, 6))
	var wait sync.WaitGroup
	for i := range count {
		v := s.newVoter(t, s.frontends[i%2])
		var choices []poll.Choice
		for range 1 + random.IntN(4) {
			choices = append(choices, poll.Choices()[random.IntN(2)])
		}
		wait.Go(func() {
			for j, choice := range choices {
				if err := v.Vote(t.Context(), siteOf(s.frontends[(i+j)%2]), choice).Err(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	want, exact := s.books.Bounds().Exact()
	if !exact || want.Total() != count {
		t.Fatalf("the books allow %s, want one tally of %d voters", s.books.Bounds(), count)
	}
	s.wantResults(t, want.A, want.B)
	var accepted float64
	for _, frontend := range s.frontends {
		accepted += metric(t, frontend, "poll_votes_accepted_total")
	}
	eventually.Succeeds(t, patience, "the worker has stored all votes", func() error {
		// A vote that comes after a later one of its voter is not stored.
		stored, known := metric(t, s.worker, "poll_worker_votes_stored_total"), metric(t, s.worker, "poll_worker_votes_copies_total")
		if stored+known != accepted {
			return fmt.Errorf("%v votes were accepted, %v stored, and %v known", accepted, stored, known)
		}
		return nil
	})
	if got := metric(t, s.results, "poll_results_votes"); got != count {
		t.Errorf("poll_results_votes is %v, want %d", got, count)
	}
	for _, program := range []*programtest.Program{s.frontends[0], s.frontends[1], s.worker, s.results} {
		for line := range strings.Lines(program.Log.String()) {
			if !strings.HasPrefix(line, `{"time":"`) {
				t.Errorf("%s logs a line that is not JSON: %s", program.Name, line)
			}
		}
		if strings.Contains(program.Log.String(), programtest.VoterKey) {
			t.Errorf("%s logs the key", program.Name)
		}
	}
}

// The worker is killed several times while votes come in. Every vote is counted.
func TestNoVoteIsLostWithWorker(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	const voters = 80
	for i := range voters {
		v := s.newVoter(t, s.frontends[i%2])
		mustVote(t, v, s.frontends[i%2], poll.Choices()[i%2])
		if i%20 == 10 {
			s.worker.Kill()
			s.worker.Launch(t)
		}
	}
	s.wantResults(t, voters/2, voters/2)
}

// Each program ends with code 0 on SIGTERM, and its healthcheck command says whether it is healthy.
func TestStopAndHealthcheck(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	for _, program := range []*programtest.Program{s.frontends[0], s.worker, s.results} {
		checks := program.Metrics // the vote page's are where the load balancer asks for them
		if program == s.frontends[0] {
			checks = program.URL
		}
		eventually.Succeeds(t, patience, program.Name+" is ready", func() error {
			if status, body := get(t, checks+"/readyz"); status != http.StatusOK {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		})
		if code, out, _ := programtest.RunToEnd(t, program.Name, []string{"healthcheck"}, program.Environment); code != 0 {
			t.Errorf("%s healthcheck: %d %s", program.Name, code, out)
		}
		if code, out, _ := programtest.RunToEnd(t, program.Name, []string{"healthcheck", programs.StartedPage}, program.Environment); code != 0 {
			t.Errorf("%s has not started: %d %s", program.Name, code, out)
		}
	}
	viewer, err := http.Get(s.results.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer viewer.Body.Close()
	s.redis[0].Kill()
	time.Sleep(1100 * time.Millisecond) // a successful write counts as proof for a second
	if code, out, _ := programtest.RunToEnd(t, "web-vote-app", []string{"healthcheck"}, s.frontends[0].Environment); code != 1 ||
		!strings.Contains(out, "redis does not take a write") {
		t.Errorf("without redis: healthcheck %d %s", code, out)
	}
	for _, program := range []*programtest.Program{s.frontends[0], s.worker} {
		if code, out, _ := programtest.RunToEnd(t, program.Name, []string{"healthcheck", programs.StartedPage}, program.Environment); code != 0 {
			t.Errorf("%s would be replaced because redis is down: %d %s", program.Name, code, out)
		}
	}
	for _, program := range []*programtest.Program{s.frontends[0], s.worker, s.results} {
		program.Stop(t)
		if code, _, _ := programtest.RunToEnd(t, program.Name, []string{"healthcheck"}, program.Environment); code != 1 {
			t.Errorf("%s healthcheck after its end: %d, want 1", program.Name, code)
		}
	}
}

// Drain stores all votes of a queue, also those that a lost worker had read.
func TestDrainStoresAllVotes(t *testing.T) {
	t.Parallel()
	s := startWithoutWorker(t)
	for i := range 30 {
		v := s.newVoter(t, s.frontends[0])
		mustVote(t, v, s.frontends[0], []poll.Choice{poll.A, poll.A, poll.B}[i%3])
	}
	redis := s.redis[0]
	redis.Do(t, "XGROUP", "CREATE", "votes", "workers", "0")
	redis.Do(t, "XREADGROUP", "GROUP", "workers", "worker07", "COUNT", "12", "STREAMS", "votes", ">")
	environment := append([]string{"WORKER_NUMBER=01"}, s.database...)
	code, out, said := programtest.RunToEnd(t, "vote-worker", []string{"drain", "--timeout", "20s", redis.Address, s.redis[1].Address}, environment)
	want := redis.Address + ": stored 30 votes\n" + s.redis[1].Address + ": stored 0 votes\n"
	if code != 0 || out != want {
		t.Errorf("drain: %d, %q, want 0 and %q\n%s", code, out, want, said)
	}
	// Nobody follows the queues, so the results are not live.
	s.wantShown(t, voters.Results{Tally: poll.Tally{A: 20, B: 10}})
	code, out, said = programtest.RunToEnd(t, "vote-worker", []string{"recount"}, environment)
	if want := "counted 30 votes (a: 20, b: 10); the tally was right\n"; code != 0 || out != want {
		t.Errorf("recount: %d, %q, want 0 and %q\n%s", code, out, want, said)
	}

	// A lost queue is forgotten by its address. One that no worker has noted is none.
	if code, out, said := programtest.RunToEnd(t, "vote-worker", []string{"forget", redis.Address}, environment); code != 0 {
		t.Errorf("forget: %d %s %s", code, out, said)
	}
	code, out, said = programtest.RunToEnd(t, "vote-worker", []string{"forget", redis.Address, "redis05:6379"}, environment)
	if code != 1 || !strings.Contains(said, "no worker has noted a queue redis05: the known ones are ") || !strings.Contains(said, redis.Address) {
		t.Errorf("forget an unknown one: %d %s %s", code, out, said)
	}

	// Drain reports votes that it cannot store.
	v := s.newVoter(t, s.frontends[0])
	mustVote(t, v, s.frontends[0], poll.B)
	gone := redistest.Start(t)
	gone.Kill()
	for name, arguments := range map[string][]string{
		"Redis is down":        {"drain", "--timeout", "500ms", gone.Address},
		"the database is down": {"drain", "--timeout", "500ms", redis.Address},
	} {
		environment := environment
		if strings.Contains(name, "database") {
			environment = append(slices.Clip(environment), "POSTGRES_PORT=1")
		}
		code, out, said := programtest.RunToEnd(t, "vote-worker", arguments, environment)
		if code != 1 || !strings.Contains(said, "do not take the queues away") || !strings.Contains(out, "not empty") {
			t.Errorf("%s: %d %s %s", name, code, out, said)
		}
	}
	if got := redis.Do(t, "XLEN", "votes"); got != "1" {
		t.Errorf("%s entries are queued, want one", got)
	}
}

// All wrong settings are reported at once, without secrets.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, program          string
		arguments, environment []string
		says                   []string
	}{
		{"vote app, nothing set", "web-vote-app", nil, nil, []string{
			"WEB_VOTE_NUMBER is not set", "for instance 01", "REDIS_ADDRESS is not set", "VOTER_KEY is not set", "openssl rand -base64 32"}},
		{"vote app, all wrong", "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=1", "VOTER_KEY=c2hvcnQ=", "OPTION_A=Cats",
			"OPTION_B=Cats", "LISTEN_ADDRESS=80", "METRICS_ADDRESS=:99999", "REDIS_ADDRESS=redis01", "BALLOT_AGE=1s"}, []string{
			`BALLOT_AGE is "1s"`,
			`WEB_VOTE_NUMBER is "1"`, "VOTER_KEY (not shown) has 5 bytes, want at least 32", `OPTION_B is "Cats", which is the same`,
			`LISTEN_ADDRESS is "80"`, `METRICS_ADDRESS is ":99999"`, `REDIS_ADDRESS is "redis01"`}},
		{"vote app, key not base64", "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=01", "VOTER_KEY=hush-hush!"}, []string{
			"VOTER_KEY (not shown, 10 characters) is not base64"}},
		{"vote app, one address for two", "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=01", "VOTER_KEY=" + programtest.VoterKey,
			"METRICS_ADDRESS=:80"}, []string{`LISTEN_ADDRESS and METRICS_ADDRESS are both ":80"`}},
		{"vote app, no redis", "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=01", "VOTER_KEY=" + programtest.VoterKey},
			[]string{"REDIS_ADDRESS is not set", "redis01:6379"}},
		{"vote app, a secret that is set twice", "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=01", "VOTER_KEY=hush-hush",
			"VOTER_KEY_FILE=/run/secrets/voter-key"}, []string{"VOTER_KEY and VOTER_KEY_FILE are both set"}},
		{"worker, nothing set", "vote-worker", nil, nil, []string{"WORKER_NUMBER is not set", "REDIS_ADDRESSES is not set",
			"POSTGRES_PASSWORD is not set"}},
		{"worker, all wrong", "vote-worker", nil, []string{"WORKER_NUMBER=one", "REDIS_ADDRESSES=redis01",
			"POSTGRES_HOST=pg:5432", "POSTGRES_PORT=0", "POSTGRES_PASSWORD=hush-hush"}, []string{`WORKER_NUMBER is "one"`,
			`REDIS_ADDRESSES has "redis01"`, `POSTGRES_HOST has "pg:5432"`, `POSTGRES_PORT is "0"`}},
		{"worker, addresses", "vote-worker", nil, []string{"WORKER_NUMBER=01", "POSTGRES_PASSWORD=x",
			"REDIS_ADDRESSES=redis01:6379,redis01:6379, :1"}, []string{"twice", `REDIS_ADDRESSES has ":1"`}},
		{"worker, numbers of queues", "vote-worker", nil, []string{"WORKER_NUMBER=01", "POSTGRES_PASSWORD=x", "FROM_REDIS_HOST=1",
			"TO_REDIS_HOST=2"}, []string{`FROM_REDIS_HOST is "1"`, `TO_REDIS_HOST is "2"`, "REDIS_ADDRESSES"}},
		{"worker, a password that is not there", "vote-worker", nil, []string{"WORKER_NUMBER=01", "REDIS_ADDRESSES=redis01:6379",
			"POSTGRES_PASSWORD_FILE=/run/secrets/none"}, []string{`POSTGRES_PASSWORD_FILE is "/run/secrets/none"`, "or set POSTGRES_PASSWORD"}},
		{"worker, a database elsewhere that proves nothing", "vote-worker", nil, []string{"WORKER_NUMBER=01", "REDIS_ADDRESSES=redis01:6379",
			"POSTGRES_URL=postgres://u:hush-hush@db/?sslmode=require", "POSTGRES_CA=hush-hush", "POSTGRES_HOST=pg"}, []string{
			"POSTGRES_URL and POSTGRES_HOST are both set", "POSTGRES_URL (not shown) names no database", "POSTGRES_URL (not shown) has sslmode=require",
			"POSTGRES_CA (not shown) has no certificate in it"}},
		{"worker, unknown command", "vote-worker", []string{"dance"}, nil, []string{`does not know ["dance"]`}},
		{"drain, no queue", "vote-worker", []string{"drain"}, []string{"WORKER_NUMBER=01", "POSTGRES_PASSWORD=x"},
			[]string{"drain has no address", "`drain redis03:6379`"}},
		{"drain, wrong queues", "vote-worker", []string{"drain", "--timeout", "-1s", "3", "redis03"},
			[]string{"WORKER_NUMBER=01"}, []string{`drain has "3"`, `drain has "redis03"`,
				"POSTGRES_PASSWORD is not set", "--timeout is -1s"}},
		{"recount, an argument", "vote-worker", []string{"recount", "a"}, nil, []string{"usage: vote-worker recount", `["a"]`}},
		{"drain, unknown flag", "vote-worker", []string{"drain", "--force", "redis03:6379"}, nil, []string{"usage: vote-worker drain"}},
		{"results, nothing set", "results-app", nil, nil, []string{"POSTGRES_PASSWORD is not set"}},
		{"results, all wrong", "results-app", nil, []string{"OPTION_A=" + strings.Repeat("x", 41), "POSTGRES_PORT=http",
			"METRICS_ADDRESS=9090"}, []string{"longer than 40 characters", `POSTGRES_PORT is "http"`, `METRICS_ADDRESS is "9090"`}},
		{"results, unknown command", "results-app", []string{"drain", "3"}, nil, []string{"does not know"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, said := programtest.RunToEnd(t, test.program, test.arguments, test.environment)
			if code != 2 || out != "" {
				t.Errorf("it ended with %d and printed %q, want 2 and nothing", code, out)
			}
			for _, want := range test.says {
				if !strings.Contains(said, want) {
					t.Errorf("its error lacks %q:\n%s", want, said)
				}
			}
			for _, secret := range []string{"hush-hush", "c2hvcnQ"} {
				if strings.Contains(said, secret) {
					t.Errorf("its error has a secret:\n%s", said)
				}
			}
		})
	}
}

// A program whose address is in use ends at once and names the address.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	free := programtest.FreeAddress(t)
	code, _, said := programtest.RunToEnd(t, "vote-worker", nil, []string{"WORKER_NUMBER=01", "POSTGRES_PASSWORD=x", "POSTGRES_HOST=127.0.0.1",
		"POSTGRES_PORT=1", "REDIS_ADDRESSES=127.0.0.1:1", "METRICS_ADDRESS=" + address})
	if code != 1 || !strings.Contains(said, address) {
		t.Errorf("the worker: %d %s", code, said)
	}
	code, _, said = programtest.RunToEnd(t, "web-vote-app", nil, []string{"WEB_VOTE_NUMBER=01", "VOTER_KEY=" + programtest.VoterKey,
		"REDIS_ADDRESS=127.0.0.1:1", "LISTEN_ADDRESS=" + free, "METRICS_ADDRESS=" + address})
	if code != 1 || !strings.Contains(said, address) {
		t.Errorf("the vote app: %d %s", code, said)
	}
}

// Clients that send slowly or too much are disconnected, and voters beside them are answered.
func TestSlowAndHugeRequests(t *testing.T) {
	t.Parallel()
	s := startWithoutWorker(t)
	address := strings.TrimPrefix(s.frontends[0].URL, "http://")
	var slow []net.Conn
	for range 50 {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: votingapp.local\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, connection)
	}
	for name, request := range map[string]string{
		"a huge header": "GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"no HTTP":       "\x16\x03\x01\x00\xee\x01\x00\r\n\r\n",
		"two lengths":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\nvote=a",
	} {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(connection, request) // the server may close the connection before it has read all
		line, err := bufio.NewReader(connection).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "HTTP/1.1 4") {
			t.Errorf("%s: answered with %q, want a 4xx", name, line)
		}
		connection.Close()
	}
	v := s.newVoter(t, s.frontends[0])
	mustVote(t, v, s.frontends[0], poll.A)
	started := time.Now()
	for _, connection := range slow {
		if err := connection.SetReadDeadline(started.Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(connection); err != nil {
			t.Fatalf("a slow client is still connected after %s: %v", time.Since(started), err)
		}
	}
}

// TestVotesNeedABallotByDefault holds that the vote page hands out ballots unless somebody switches that off.
func TestVotesNeedABallotByDefault(t *testing.T) {
	t.Parallel()
	queue := redistest.Start(t)
	for age, want := range map[string]bool{"": true, "BALLOT_AGE=2": true, "BALLOT_AGE=0": false} {
		frontend := programtest.Start(t, programtest.WebVoteApp, "WEB_VOTE_NUMBER=01", "REDIS_ADDRESS="+queue.Address, "VOTER_KEY="+programtest.VoterKey, age)
		response, err := http.Get(frontend.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := slices.ContainsFunc(response.Cookies(), func(cookie *http.Cookie) bool { return cookie.Name == "ballot" }); got != want {
			t.Errorf("%q: handed out: %v, want %v", age, got, want)
		}
	}
}
