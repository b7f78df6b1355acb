// Package redistest starts real Redis servers for tests.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/test/testprocess"
)

// Server is a Redis server of a test's own, with the append-only file on. It ends with the test, and with the test's
// process, however that ends.
type Server struct {
	// Address is host:port. It stays the same when the server is started again.
	Address string
	// Password is what Do and the wait for the server log in with; empty: nothing.
	Password string
	// Directory has the server's data.
	Directory string

	arguments []string
	mu        sync.Mutex
	process   *testprocess.Process
}

// Start starts a server with these settings besides the standard ones, for instance "--maxmemory", "8mb". Without
// redis-server on this machine the test is skipped.
//
// Redis writes before it answers, as the product's does. With "everysec" it may answer two seconds before, while a sync takes long.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return StartAs(t, &Server{}, append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction",
	}, settings...)...)
}

// StartAs starts a server with the password and the directory of s, or with a directory of the test, and with nothing but these
// arguments and its address.
func StartAs(t testing.TB, s *Server, arguments ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: on Debian, apt-get install redis-server")
	}
	port, err := testprocess.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if s.Directory == "" {
		s.Directory = t.TempDir()
	}
	s.arguments = append(slices.Clone(arguments), "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", s.Directory, "--daemonize", "no")
	t.Cleanup(s.Kill)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// Kill kills the server, as a power cut would.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.Kill()
		s.process = nil
	}
}

// Lose kills the server and deletes its data, as the loss of its machine would. Restart then starts an empty one.
func (s *Server) Lose(t testing.TB) {
	t.Helper()
	s.Kill()
	entries, err := os.ReadDir(s.Directory)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.Directory, entry.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Ended reports whether the server has ended by itself, or was killed.
func (s *Server) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process == nil || s.process.Ended()
}

// Restart starts a killed server again, on the same address and with the same data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// TryRestart is Restart for a server that may not be able to start.
func (s *Server) TryRestart() error { return s.start() }

// Pause stops the server without ending it, as a machine that hangs does; Resume lets it go on.
func (s *Server) Pause(t testing.TB) { s.signal(t, (*testprocess.Process).Pause) }

// Resume is the end of Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, (*testprocess.Process).Resume) }

// CPU is the processor time that the running server has used.
func (s *Server) CPU() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0, errors.New("the redis server is not running")
	}
	return s.process.CPU()
}

func (s *Server) signal(t testing.TB, send func(*testprocess.Process) error) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		t.Fatal("the redis server is not running")
	}
	if err := send(s.process); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	command := exec.Command("redis-server", s.arguments...)
	log, err := os.OpenFile(filepath.Join(s.Directory, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if s.process, err = testprocess.Start(command); err != nil {
		return err
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if answer, err := do(s.Address, s.Password, "PING"); err == nil && answer == "PONG" {
			return nil
		}
		if s.process.Ended() {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name()) // for the message only
	return fmt.Errorf("redis-server at %s does not answer; its log:\n%s", s.Address, text)
}

// Do sends one command to the server and returns its answer as text: "OK", "3", the elements of a list with spaces between
// them. It fails the test if the server cannot be reached or answers with an error.
func (s *Server) Do(t testing.TB, arguments ...string) string {
	t.Helper()
	answer, err := do(s.Address, s.Password, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// answerTimeout is how long a server may take for an answer.
const answerTimeout = 5 * time.Second

// do sends one command to the Redis at address, over a connection of its own, and returns its answer as text.
func do(address, password string, arguments ...string) (string, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, Password: password, ForceSingleClient: true, DisableCache: true,
		DisableRetry: true, PipelineMultiplex: -1, RingScaleEachConn: 1, Dialer: net.Dialer{Timeout: time.Second}, ConnWriteTimeout: answerTimeout})
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	answer, err := client.Do(ctx, client.B().Arbitrary(arguments...).Build()).ToAny()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", fmt.Errorf("redis at %s: %q: %w", address, arguments, err)
	}
	return strings.Trim(fmt.Sprint(answer), "[]"), nil
}

// countVotes counts the lines of the entries of a stream, each of which is a vote.
const countVotes = `local votes = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  votes = votes + select(2, entry[2][2]:gsub('\n', ''))
end
return votes`

// Oldest is when the first entry of a stream came in, by the Redis's clock, or the zero time if the stream is empty.
func (s *Server) Oldest(stream string) (time.Time, error) {
	answer, err := do(s.Address, s.Password, "EVAL", "local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]; return e and e[1] or ''", "1", stream)
	if err != nil || answer == "" {
		return time.Time{}, err
	}
	milliseconds, _, _ := strings.Cut(answer, "-")
	number, err := strconv.ParseInt(milliseconds, 10, 64)
	return time.UnixMilli(number), err
}

// Votes is how many votes wait in a stream of the Redis at address.
func Votes(address, stream string) (int, error) {
	answer, err := do(address, "", "EVAL", countVotes, "1", stream)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}
