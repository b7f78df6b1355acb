package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
)

// patience is how long the tests wait for what happens in a second on an idle machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(programtest.Main(m)) }

// eventually waits until check returns nil.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %v", patience, what, err)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// system is the whole application with two frontends.
type system struct {
	redis     []*redistest.Server
	postgres  *postgrestest.Server
	database  []string // variables
	dbName    string
	frontends []*programtest.Program
	worker    *programtest.Program
	results   *programtest.Program
}

// startSystem starts everything.
func startSystem(t testing.TB, variables ...string) *system {
	t.Helper()
	s := startWithoutWorker(t, variables...)
	s.startWorker(t)
	return s
}

func startWithoutWorker(t testing.TB, variables ...string) *system {
	t.Helper()
	s := &system{postgres: postgrestest.Shared(t)}
	s.dbName = s.postgres.NewDatabase(t)
	s.database = []string{"POSTGRES_HOST=127.0.0.1", "POSTGRES_PORT=" + strconv.Itoa(s.postgres.Port),
		"POSTGRES_DATABASE=" + s.dbName, "POSTGRES_PASSWORD=" + postgrestest.Password}
	for i := 1; i <= 2; i++ {
		redis := redistest.Start(t)
		s.redis = append(s.redis, redis)
		s.frontends = append(s.frontends, programtest.Start(t, programtest.WebVoteApp, append(variables,
			fmt.Sprintf("WEB_VOTE_NUMBER=%02d", i), "REDIS_ADDRESS="+redis.Address, "VOTER_KEY="+programtest.VoterKey)...))
	}
	s.results = programtest.Start(t, programtest.ResultsApp, append(variables, s.database...)...)
	return s
}

func (s *system) startWorker(t testing.TB) {
	t.Helper()
	s.worker = programtest.Start(t, programtest.VoteWorker, append([]string{"WORKER_NUMBER=01",
		"REDIS_ADDRESSES=" + s.redis[0].Address + "," + s.redis[1].Address}, s.database...)...)
}

// voter is a browser without a screen: it keeps its cookie for all frontends, as behind the load balancer.
type voter struct {
	client *http.Client
	t      testing.TB
}

// throughBalancer sends every request to the frontend that it is told, although the voter's address stays the same.
type throughBalancer struct{ frontend string }

// siteURL is what all frontends are called.
const siteURL = "http://votingapp.local/"

func (b *throughBalancer) RoundTrip(r *http.Request) (*http.Response, error) {
	target, err := url.Parse(b.frontend)
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.URL.Host = target.Host
	sent.Host = r.URL.Host
	return http.DefaultTransport.RoundTrip(sent)
}

// siteAddress is siteURL, parsed.
func siteAddress(t testing.TB) *url.URL {
	t.Helper()
	address, err := url.Parse(siteURL)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func newVoter(t testing.TB) *voter {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &voter{t: t, client: &http.Client{Jar: jar, Transport: &throughBalancer{}, Timeout: patience}}
}

func (v *voter) look(frontend *programtest.Program) (status int, page string) {
	v.t.Helper()
	v.client.Transport.(*throughBalancer).frontend = frontend.URL
	response, err := v.client.Get(siteURL)
	return read(v.t, response, err)
}

func (v *voter) vote(frontend *programtest.Program, choice string) (status int, page string) {
	v.t.Helper()
	v.client.Transport.(*throughBalancer).frontend = frontend.URL
	response, err := v.client.PostForm(siteURL, url.Values{"vote": {choice}})
	return read(v.t, response, err)
}

func (v *voter) mustVote(frontend *programtest.Program, choice string) {
	v.t.Helper()
	if status, page := v.vote(frontend, choice); status != http.StatusOK {
		v.t.Fatalf("the vote was answered with %d:\n%s", status, page)
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

// resultsJSON is what /results.json says.
type resultsJSON struct {
	Options []struct {
		ID, Label string
		Votes     int64
		Share     float64
	}
	Total int64
	Live  bool
	AsOf  string `json:"as_of"`
}

func (s *system) readResults(t testing.TB) resultsJSON {
	t.Helper()
	_, body := get(t, s.results.URL+"/results.json")
	var results resultsJSON
	if err := json.Unmarshal([]byte(body), &results); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return results
}

// wantResults waits until the results page has these numbers, live.
func (s *system) wantResults(t testing.TB, a, b int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("the results are %d to %d", a, b), func() error {
		results := s.readResults(t)
		if !results.Live || results.Options[0].Votes != a || results.Options[1].Votes != b || results.Total != a+b {
			return fmt.Errorf("they are %+v", results)
		}
		return nil
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
