// Package postgrestest starts real PostgreSQL servers for tests.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/test/eventually"
	"swarm-scale/test/testprocess"
)

const (
	// Password is that of the user postgres.
	Password = "not-a-secret"
	// RolePassword is that of the programs' roles, where a test has them set.
	RolePassword = "not-a-secret-either"
)

// Server is a PostgreSQL server with durable settings on 127.0.0.1, or a standby on another address of the loopback ([Server.Standby]). Setting one
// up takes a second or two, so the tests of a package share one ([Main]) and each has a database of its own ([Server.NewDatabase]).
type Server struct {
	Host string // an IPv4 address
	Port int

	programs, directory string
	credential          *syscall.Credential
	mu                  sync.Mutex
	process             *testprocess.Process
	databases           atomic.Int64
	roles               sync.Mutex
}

// shared is the server that Main ends.
var shared struct {
	sync.Mutex
	server *Server
	err    error
	skip   string
}

// Main runs the tests of a package and then ends the server they shared; call it from TestMain.
func Main(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.server != nil {
			shared.server.Remove()
		}
	}()
	return m.Run()
}

// Shared is the package's server, started by the first test that asks. Without PostgreSQL on this machine the test is
// skipped. The package's TestMain must call Main.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil && shared.skip == "" {
		shared.server, shared.skip, shared.err = start("")
	}
	if shared.skip != "" {
		t.Skip(shared.skip)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Start starts a server of the test's own, for tests that kill it.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, "")
}

// StartIn is Start with the data in this folder, which is removed with the server.
func StartIn(t testing.TB, directory string) *Server {
	t.Helper()
	server, skip, err := start(directory)
	if skip != "" {
		t.Skip(skip)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Remove)
	return server
}

// Address is where the server answers, host:port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// NewDatabase makes an empty database and returns its name.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	connection := s.Connect(t, "postgres")
	if _, err := connection.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return name
}

// SetRoles gives a database the programs' roles, by the file roles.sql of the deployment, one database at a time: roles are the server's.
// Without psql on this machine the test is skipped.
func (s *Server) SetRoles(t testing.TB, database, file string) {
	t.Helper()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed: on Debian, apt-get install postgresql-client")
	}
	command := exec.CommandContext(t.Context(), psql, "--quiet", "--no-psqlrc", "--host", s.Host, "--port", strconv.Itoa(s.Port), "--username", "postgres",
		"--dbname", database, "--set", "ON_ERROR_STOP=1", "--set", "postgres_password="+Password, "--set", "worker_password="+RolePassword,
		"--set", "results_password="+RolePassword, "--file", file)
	command.Env = append(os.Environ(), "PGPASSWORD="+Password)
	s.roles.Lock()
	defer s.roles.Unlock()
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, output)
	}
}

// Connect opens a connection to a database for the length of the test.
func (s *Server) Connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	connection, err := s.connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=postgres password=%s dbname=%s sslmode=disable",
		s.Host, s.Port, Password, database))
}

// Encrypt has the server offer TLS with this certificate and key, both in PEM.
func (s *Server) Encrypt(t testing.TB, certificate, key string) {
	t.Helper()
	for name, content := range map[string]string{"server.crt": certificate, "server.key": key} {
		path := filepath.Join(s.data(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.credential != nil {
			if err := os.Chown(path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.set(t, "ssl = on")
}

// set changes a setting of the running server: "ssl = on".
func (s *Server) set(t testing.TB, setting string) {
	t.Helper()
	connection := s.Connect(t, "postgres")
	for _, statement := range []string{"ALTER SYSTEM SET " + setting, "SELECT pg_reload_conf()"} {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// Run runs one of PostgreSQL's client programs as the user postgres of the server, for instance pg_dump, and fails the test if the
// program fails.
func (s *Server) Run(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if output, err := s.client(program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, arguments, err, output)
	}
}

// TryRun is Run for a program that may fail: the test's log has what it says.
func (s *Server) TryRun(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if output, err := s.client(program, arguments...).CombinedOutput(); err != nil || len(output) > 0 {
		t.Logf("%s %q: %v\n%s", program, arguments, err, output)
	}
}

func (s *Server) client(program string, arguments ...string) *exec.Cmd {
	command := s.command(program, arguments...)
	command.SysProcAttr = nil // it reads and writes the test's files
	command.Env = append(command.Env, s.login()...)
	return command
}

// login returns the environment by which a client program logs in to the server.
func (s *Server) login() []string {
	return []string{"PGHOST=" + s.Host, "PGPORT=" + strconv.Itoa(s.Port), "PGUSER=postgres", "PGPASSWORD=" + Password}
}

// Standby starts a server that copies this one, on another address of the loopback and the same port. From then on a commit waits until the
// standby has it on its disk, too. The test ends the standby.
func (s *Server) Standby(t testing.TB, host string) *Server {
	t.Helper()
	standby := &Server{Host: host, Port: s.Port, programs: s.programs, credential: s.credential}
	if err := standby.makeDirectory(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	copying := standby.command("pg_basebackup", "--pgdata", standby.data(), "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	copying.Env = append(copying.Env, s.login()...)
	if output, err := copying.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, output)
	}
	if err := standby.run(); err != nil {
		t.Fatal(err)
	}
	s.set(t, "synchronous_standby_names = '*'")
	connection := s.Connect(t, "postgres")
	eventually.Succeeds(t, 30*time.Second, "commits wait for the standby", func() error {
		var waited bool
		err := connection.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')").Scan(&waited)
		if err == nil && !waited {
			err = errors.New("they do not")
		}
		return err
	})
	return standby
}

// Promote has a standby take writes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	connection := s.Connect(t, "postgres")
	var promoted bool
	if err := connection.QueryRow(t.Context(), "SELECT pg_promote()").Scan(&promoted); err != nil || !promoted {
		t.Fatalf("the standby was promoted: %v (%v)", promoted, err)
	}
}

// Kill kills the server and all its processes, as a power cut would.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Signal(syscall.SIGQUIT) // immediate: its children end at once, nothing is written
		select {
		case <-s.process.Done():
		case <-time.After(5 * time.Second):
		}
		s.process.Kill()
		s.process = nil
	}
}

// KillAll kills every process of the server at once with SIGKILL, as when its container is killed.
func (s *Server) KillAll(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		t.Fatal("the postgres server is not running")
	}
	s.signalAll(t, syscall.SIGKILL)
	s.process.Kill()
	s.process = nil
}

// Pause stops every process of the server without ending it, as a machine that hangs does; Resume lets them go on.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signalAll(t, syscall.SIGSTOP)
}

// Resume is the end of Pause.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signalAll(t, syscall.SIGCONT)
}

// signalAll sends a signal to the server's first process and all its children.
func (s *Server) signalAll(t testing.TB, signal syscall.Signal) {
	t.Helper()
	// Stopped first, so that it makes no more children while they are counted.
	if err := s.process.Pause(); err != nil {
		t.Fatal(err)
	}
	children, err := s.process.Children()
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range children {
		if err := syscall.Kill(child, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Ended reports whether the server has ended by itself, or was killed.
func (s *Server) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process == nil || s.process.Ended()
}

// Restart starts a killed server again, on the same port and with the same data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// Remove kills the server and deletes its data.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(s.directory) // in the system's temporary folder; nothing depends on it
}

// start sets up a server. If this machine lacks what it needs, skip says what.
func start(directory string) (server *Server, skip string, err error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err.Error(), nil
	}
	s := &Server{Host: "127.0.0.1", programs: programs, directory: directory}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		account, err := user.Lookup("postgres")
		if err != nil {
			return nil, "PostgreSQL does not run as root and there is no user postgres: on Debian, apt-get install postgresql", nil
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr != nil || gidErr != nil {
			return nil, "", fmt.Errorf("user postgres has the ids %s and %s, want numbers", account.Uid, account.Gid)
		}
		s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := s.makeDirectory(); err != nil {
		return nil, "", err
	}
	if s.Port, err = testprocess.FreePort(); err != nil {
		return nil, "", err
	}
	if err := s.initialize(); err != nil {
		s.Remove()
		return nil, "", err
	}
	if err := s.run(); err != nil {
		s.Remove()
		return nil, "", err
	}
	return s, "", nil
}

// makeDirectory makes the server's folder, unless the test has one.
func (s *Server) makeDirectory() (err error) {
	if s.directory == "" {
		s.directory, err = os.MkdirTemp("", "postgrestest-")
	}
	if err == nil && s.credential != nil {
		err = os.Chown(s.directory, int(s.credential.Uid), int(s.credential.Gid))
	}
	return err
}

// findPrograms is the folder of the newest PostgreSQL on this machine, 15 or newer.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path) // the other programs are beside the one that a link leads to
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	best, bestVersion := "", 14
	for _, path := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > bestVersion {
			best, bestVersion = filepath.Dir(path), version
		}
	}
	if best == "" {
		return "", fmt.Errorf("PostgreSQL 15 or newer is not installed: on Debian, apt-get install postgresql")
	}
	return best, nil
}

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

func (s *Server) command(program string, arguments ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.programs, program), arguments...)
	command.Dir = s.directory
	command.Env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return len(pair) > 2 && pair[:2] == "PG"
	}), "LC_ALL=C.UTF-8")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return command
}

func (s *Server) initialize() error {
	passwordFile := filepath.Join(s.directory, "password")
	if err := os.WriteFile(passwordFile, []byte(Password), 0o644); err != nil {
		return err
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", "postgres", "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync", "--no-instructions")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

func (s *Server) run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var log bytes.Buffer
	command := s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.Port), "-c", "listen_addresses="+s.Host,
		"-c", "unix_socket_directories=", "-c", "shared_buffers=64MB", "-c", "max_connections=50")
	command.Stdout, command.Stderr = &log, &log
	process, err := testprocess.Start(command)
	if err != nil {
		return err
	}
	s.process = process
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) && !process.Ended() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		connection, err := s.connect(ctx, "postgres")
		if err == nil {
			_ = connection.Close(ctx)
			cancel()
			return nil
		}
		cancel()
		time.Sleep(20 * time.Millisecond)
	}
	process.Kill()
	return fmt.Errorf("postgres on port %d does not answer; its log:\n%s", s.Port, log.String())
}
