package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarm-scale/poll/postgrestest"
	"swarm-scale/poll/redistest"
	"swarm-scale/poll/testprocess"
)

// voterKey is 32 bytes in base64.
const voterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// patience is how long the tests wait for what happens in a second on an idle machine.
const patience = 30 * time.Second

var (
	programFolder string
	buildOnce     sync.Once
	buildError    error
)

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "poll-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programFolder = folder
	code := postgrestest.Main(m)
	_ = os.RemoveAll(folder) // in the system's temporary folder; nothing depends on it
	os.Exit(code)
}

// programPath is where the program was built.
func programPath(t testing.TB, name string) string {
	t.Helper()
	buildOnce.Do(func() {
		build := exec.Command("go", "build", "-o", programFolder+string(filepath.Separator),
			"swarm-scale/cmd/web-vote-app", "swarm-scale/cmd/vote-worker", "swarm-scale/cmd/results-app")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			buildError = fmt.Errorf("go build: %w\n%s", err, output)
		}
	})
	if buildError != nil {
		t.Fatal(buildError)
	}
	return filepath.Join(programFolder, name)
}

// running is one of the programs, started.
type running struct {
	*testprocess.Process
	name        string
	environment []string
	url         string // of its pages; of the worker, of its metrics
	metrics     string
	log         *logBuffer
}

// logBuffer keeps what a program says.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start starts a program with these variables and addresses of its own, and waits until it answers.
func start(t testing.TB, name string, variables ...string) *running {
	t.Helper()
	listen, metrics := freeAddress(t), freeAddress(t)
	r := &running{name: name, log: &logBuffer{}, metrics: "http://" + metrics,
		environment: append([]string{"LISTEN_ADDRESS=" + listen, "METRICS_ADDRESS=" + metrics}, variables...)}
	r.url = "http://" + listen
	if name == "vote-worker" {
		r.url = r.metrics
	}
	r.launch(t)
	t.Cleanup(func() {
		r.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, r.log)
		}
	})
	return r
}

func (r *running) launch(t testing.TB) {
	t.Helper()
	command := exec.Command(programPath(t, r.name))
	command.Env = r.environment // and nothing else: no PATH, no HOME, as in its container
	command.Stderr = r.log
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	r.Process = process
	eventually(t, r.name+" answers", func() error {
		if process.Ended() {
			t.Fatalf("%s ended with code %d:\n%s", r.name, process.Wait(), r.log)
		}
		response, err := http.Get(r.metrics + "/metrics")
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// runToEnd runs a program to its end and returns its exit code and what it said.
func runToEnd(t testing.TB, name string, arguments, variables []string) (code int, stdout, stderr string) {
	t.Helper()
	command := exec.Command(programPath(t, name), arguments...)
	command.Env = variables
	var out, errors bytes.Buffer
	command.Stdout, command.Stderr = &out, &errors
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	select {
	case <-process.Done():
	case <-time.After(2 * patience):
		process.Kill()
		t.Fatalf("%s %q did not end; it said:\n%s%s", name, arguments, out.String(), errors.String())
	}
	return process.Wait(), out.String(), errors.String()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := testprocess.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

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

// stop stops the program as docker stop does, and checks that it ends well.
func (r *running) stop(t testing.TB) {
	t.Helper()
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Done():
	case <-time.After(10 * time.Second):
		t.Fatalf("%s has not ended 10 s after SIGTERM; docker stop would kill it now", r.name)
	}
	if code := r.Wait(); code != 0 {
		t.Errorf("%s ended with code %d after SIGTERM, want 0", r.name, code)
	}
}

// system is the whole application with two frontends.
type system struct {
	redis     []*redistest.Server
	postgres  *postgrestest.Server
	database  []string // variables
	dbName    string
	frontends []*running
	worker    *running
	results   *running
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
		s.frontends = append(s.frontends, start(t, "web-vote-app", append(variables,
			fmt.Sprintf("WEB_VOTE_NUMBER=%02d", i), "REDIS_ADDRESS="+redis.Address, "VOTER_KEY="+voterKey)...))
	}
	s.results = start(t, "results-app", append(variables, s.database...)...)
	return s
}

func (s *system) startWorker(t testing.TB) {
	t.Helper()
	s.worker = start(t, "vote-worker", append([]string{"WORKER_NUMBER=01",
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

func newVoter(t testing.TB) *voter {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &voter{t: t, client: &http.Client{Jar: jar, Transport: &throughBalancer{}, Timeout: patience}}
}

func (v *voter) look(frontend *running) (status int, page string) {
	v.t.Helper()
	v.client.Transport.(*throughBalancer).frontend = frontend.url
	response, err := v.client.Get(siteURL)
	return read(v.t, response, err)
}

func (v *voter) vote(frontend *running, choice string) (status int, page string) {
	v.t.Helper()
	v.client.Transport.(*throughBalancer).frontend = frontend.url
	response, err := v.client.PostForm(siteURL, url.Values{"vote": {choice}})
	return read(v.t, response, err)
}

func (v *voter) mustVote(frontend *running, choice string) {
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
	_, body := get(t, s.results.url+"/results.json")
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
func (r *running) metric(t testing.TB, name string) float64 {
	t.Helper()
	_, text := get(t, r.metrics+"/metrics")
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
