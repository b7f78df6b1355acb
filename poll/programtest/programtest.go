// Package programtest builds and runs the project's own programs for tests and benchmarks.
package programtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
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

	"swarm-scale/poll/testprocess"
)

// patience is how long a program may take to answer after its start, or to end after a signal.
const patience = 30 * time.Second

// Programs are the folder of built programs; the zero value builds each when it is first asked for.
type Programs struct {
	mu     sync.Mutex
	folder string
	built  map[string]error
}

// Path builds the package, for instance "cmd/vote-worker", as it is built for its image, and returns the program's path.
func (p *Programs) Path(t testing.TB, source string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder == "" {
		folder, err := os.MkdirTemp("", "poll-programs-")
		if err != nil {
			t.Fatal(err)
		}
		p.folder, p.built = folder, map[string]error{}
	}
	path := filepath.Join(p.folder, filepath.Base(source))
	if _, known := p.built[source]; !known {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "swarm-scale/"+source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		output, err := build.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("go build %s: %w\n%s", source, err, output)
		}
		p.built[source] = err
	}
	if err := p.built[source]; err != nil {
		t.Fatal(err)
	}
	return path
}

// Remove deletes what was built; call it at the end of TestMain.
func (p *Programs) Remove() { _ = os.RemoveAll(p.folder) } // in the system's temporary folder; nothing depends on it

// Program is a program that runs beside the test and ends with it.
type Program struct {
	*testprocess.Process
	// Address is where it listens, host:port, and Metrics where its metrics are; the same for a program that has no pages.
	Address, Metrics string

	log *log
}

// log keeps what a program says.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Start starts one of the programs at path with these environment variables, and nothing else of an environment, as in
// its container; LISTEN_ADDRESS and METRICS_ADDRESS are added. It returns when the program's metrics answer.
func Start(t testing.TB, path string, variables ...string) *Program {
	t.Helper()
	p := &Program{Address: FreeAddress(t), Metrics: FreeAddress(t), log: &log{}}
	command := exec.Command(path)
	command.Env = append([]string{"LISTEN_ADDRESS=" + p.Address, "METRICS_ADDRESS=" + p.Metrics}, variables...)
	p.launch(t, command, p.Metrics)
	return p
}

// StartPlain starts a program that takes its listening address as its first argument. It returns when the address can be
// connected to.
func StartPlain(t testing.TB, path string, arguments ...string) *Program {
	t.Helper()
	p := &Program{Address: FreeAddress(t), log: &log{}}
	p.launch(t, exec.Command(path, append([]string{p.Address}, arguments...)...), p.Address)
	return p
}

func (p *Program) launch(t testing.TB, command *exec.Cmd, awaited string) {
	t.Helper()
	command.Stdout, command.Stderr = p.log, p.log
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	p.Process = process
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", filepath.Base(command.Path), p.log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", awaited)
		if err == nil {
			connection.Close()
			return
		}
		if process.Ended() || time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s: %v\n%s", filepath.Base(command.Path), awaited, err, p.log)
		}
	}
}

// Stop stops the program as docker stop does, and waits for its end.
func (p *Program) Stop(t testing.TB) {
	t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatalf("the program has not ended %s after SIGTERM:\n%s", patience, p.log)
	}
}

// Get is the body of one of the program's pages, on Address or Metrics.
func Get(t testing.TB, address, path string) string {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Metric is the sum of one of the program's metrics over its labels; 0 if it has none of the name.
func (p *Program) Metric(t testing.TB, name string) float64 {
	t.Helper()
	var sum float64
	for line := range strings.Lines(Get(t, p.Metrics, "/metrics")) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// FreeAddress is host:port of a port that nobody listened on a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := testprocess.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
