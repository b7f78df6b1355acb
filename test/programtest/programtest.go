// Package programtest runs the three programs, built as for their images, for tests.
package programtest

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarm-scale/test/postgrestest"
	"swarm-scale/test/testprocess"
)

// Names of the programs.
const (
	WebVoteApp = "web-vote-app"
	VoteWorker = "vote-worker"
	ResultsApp = "results-app"
)

// VoterKey is a key that signs voters' cookies: 32 bytes in base64.
const VoterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// startTimeout is how long a program may take until it answers.
const startTimeout = 30 * time.Second

// build is where the programs are, once the first test has asked for one.
var build struct {
	sync.Mutex
	folder string
	err    error
}

// Main runs the tests of a package. Then it ends the PostgreSQL server that they shared and deletes the programs. Call it from
// TestMain.
func Main(m *testing.M) int {
	defer func() {
		build.Lock()
		defer build.Unlock()
		_ = os.RemoveAll(build.folder) // it is in the system's temporary folder; nothing depends on it
	}()
	return postgrestest.Main(m)
}

// Path is where the program was built, once for all tests of a package. The package's TestMain must call Main.
func Path(t testing.TB, name string) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	if build.folder == "" && build.err == nil {
		build.folder, build.err = os.MkdirTemp("", "programtest-")
		if build.err == nil {
			build.err = compile(build.folder)
		}
	}
	if build.err != nil {
		t.Fatal(build.err)
	}
	return filepath.Join(build.folder, name)
}

// compile builds the programs into folder.
func compile(folder string) error {
	command := exec.Command("go", "build", "-ldflags=-s -w", "-o", folder+string(filepath.Separator),
		"swarm-scale/cmd/"+WebVoteApp, "swarm-scale/cmd/"+VoteWorker, "swarm-scale/cmd/"+ResultsApp)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	return nil
}

// Program is one of the programs, running. It ends with the test.
type Program struct {
	*testprocess.Process
	Name string
	// Environment is all the variables that it sees.
	Environment []string
	// URL is where its pages are, and Metrics where its metrics are; a worker has no other pages.
	URL, Metrics string
	// Log is what it has written so far, over all its starts.
	Log *Log
}

// Start starts a program with these variables and addresses of its own, and waits until it answers.
func Start(t testing.TB, name string, variables ...string) *Program {
	t.Helper()
	listen, metrics := FreeAddress(t), FreeAddress(t)
	p := &Program{Name: name, Log: &Log{}, URL: "http://" + listen, Metrics: "http://" + metrics,
		Environment: append([]string{"LISTEN_ADDRESS=" + listen, "METRICS_ADDRESS=" + metrics}, variables...)}
	if name == VoteWorker {
		p.URL = p.Metrics
	}
	p.Launch(t)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.Log.Tail(50))
		}
	})
	return p
}

// Launch starts a program again that has ended, at the same addresses, and waits until it answers.
func (p *Program) Launch(t testing.TB) {
	t.Helper()
	p.LaunchOnly(t)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		if p.Ended() {
			t.Fatalf("%s ended with code %d:\n%s", p.Name, p.Wait(), p.Log)
		}
		response, err := http.Get(p.Metrics + "/metrics")
		if err == nil {
			_ = response.Body.Close() // it answers; that is all
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer within %s: %v\n%s", p.Name, startTimeout, err, p.Log)
		}
	}
}

// LaunchOnly is Launch without the waiting.
func (p *Program) LaunchOnly(t testing.TB) {
	t.Helper()
	command := exec.Command(Path(t, p.Name))
	command.Env = p.Environment // and nothing else: no PATH, no HOME, as in its container
	command.Stderr = p.Log
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	p.Process = process
}

// Stop stops the program as docker stop does, and checks that it ends with code 0.
func (p *Program) Stop(t testing.TB) {
	t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(10 * time.Second):
		t.Fatalf("%s has not ended 10 s after SIGTERM; docker stop would kill it now", p.Name)
	}
	if code := p.Wait(); code != 0 {
		t.Errorf("%s ended with code %d after SIGTERM, want 0", p.Name, code)
	}
}

// RunToEnd runs a program to its end and returns its exit code and output.
func RunToEnd(t testing.TB, name string, arguments, variables []string) (code int, stdout, stderr string) {
	t.Helper()
	command := exec.Command(Path(t, name), arguments...)
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
	case <-time.After(2 * startTimeout):
		process.Kill()
		t.Fatalf("%s %q did not end; it said:\n%s%s", name, arguments, out.String(), errors.String())
	}
	return process.Wait(), out.String(), errors.String()
}

// FreeAddress is an address on this machine that nobody listened on just now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := testprocess.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

// Log keeps what a program says.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Tail is the last so many lines.
func (l *Log) Tail(lines int) string {
	all := strings.SplitAfter(l.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines-1):], "")
}
