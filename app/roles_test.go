package app

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"swarm-scale/poll"
	"swarm-scale/poll/environment"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/postgrestest"
)

// Passwords with all that psql and SQL treat as special.
const (
	newPassword     = ` it's "new" \and $HOME :'x' %s é  `
	workerPassword  = `worker's \'password'`
	resultsPassword = "results-password"
)

// setRoles runs roles.sh against a real server whose superuser has this password.
func setRoles(t *testing.T, server *postgrestest.Server, password string) {
	t.Helper()
	for _, program := range []string{"bash", "psql", "pg_isready"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: on Debian, apt-get install postgresql-client", program)
		}
	}
	seen := filepath.Join(t.TempDir(), "seen")
	// What the command is given besides its standard input must have no password.
	const fakes = `
workload_exec() { shift; { printf '%s\n' "$*"; env; } >>"$SEEN"; "$@"; }
workload_last_words() { echo "  $1's last words"; }
`
	command := exec.Command("bash", "-c", fakes+rolesScript, "script", "create")
	command.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(server.Port), "PGPASSWORD="+password, "SEEN="+seen, "DATABASE=pg",
		"POSTGRES_PASSWORD="+newPassword, "WORKER_PASSWORD="+workerPassword, "RESULTS_PASSWORD="+resultsPassword, "ROLES="+rolesSQL)
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "roles: pg accepts logins") {
		t.Fatalf("%v\n%s", err, output)
	}
	given, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(given), "PGPASSWORD="+password, "")
	for _, secret := range []string{newPassword, workerPassword, resultsPassword} {
		if strings.Contains(text+string(output), secret) {
			t.Errorf("an argument, the environment or the output has the password %q", secret)
		}
	}
}

func databaseAddress(server *postgrestest.Server, user, password string) postgres.Address {
	return postgres.Address{Servers: []string{server.Address()}, User: user, Database: "postgres", Password: password}
}

// session is a connection of a role.
func session(t *testing.T, server *postgrestest.Server, user, password string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("host=127.0.0.1 sslmode=disable dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	config.Port, config.User, config.Password = uint16(server.Port), user, password
	connection, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func openVotes(t *testing.T, address postgres.Address) *postgres.Votes {
	t.Helper()
	votes, err := postgres.NewVotes(address, "test", 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(votes.Close)
	return votes
}

func newVotes(choices ...poll.Choice) []poll.Vote {
	var votes []poll.Vote
	for _, choice := range choices {
		votes = append(votes, poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())})
	}
	return votes
}

func wantTally(t *testing.T, server *postgrestest.Server, want poll.Tally) {
	t.Helper()
	scoreboard, err := postgres.NewScoreboard(databaseAddress(server, resultsRole, resultsPassword), "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer scoreboard.Close()
	if got, err := scoreboard.Tally(t.Context()); err != nil || got != want {
		t.Errorf("the tally is %+v (%v), want %+v", got, err, want)
	}
}

// TestExistingDatabaseIsTakenOver holds that the roles take over a database that an earlier version set up as the superuser: votes
// and tally stay, also those that a worker stores meanwhile, the worker's role goes on, and a second run changes nothing.
func TestExistingDatabaseIsTakenOver(t *testing.T) {
	server := postgrestest.Start(t)
	before := openVotes(t, databaseAddress(server, "postgres", postgrestest.Password))
	first := newVotes(poll.A, poll.A, poll.B)
	if _, err := before.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	stop, stored := make(chan struct{}), 0
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := before.Save(t.Context(), newVotes(poll.B)); err != nil {
				t.Errorf("a worker of the version before, meanwhile: %v", err)
				return
			}
			stored++
		}
	})
	setRoles(t, server, postgrestest.Password)
	close(stop)
	wait.Wait()
	wantTally(t, server, poll.Tally{A: 2, B: int64(1 + stored)})

	votes := openVotes(t, databaseAddress(server, workerRole, workerPassword))
	first[0].Choice, first[0].CastAt = poll.B, poll.TimestampOf(time.Now().Add(time.Second))
	if _, err := votes.Save(t.Context(), append(newVotes(poll.A), first[0])); err != nil {
		t.Fatalf("the worker's role, afterwards: %v", err)
	}
	wantTally(t, server, poll.Tally{A: 2, B: int64(2 + stored)})

	setRoles(t, server, newPassword)
	wantTally(t, server, poll.Tally{A: 2, B: int64(2 + stored)})
	var left int
	err := session(t, server, "postgres", newPassword).QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'vote_worker'::regrole) +
		(SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'vote_worker'::regrole)`).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d tables and functions do not belong to the worker's role (%v)", left, err)
	}
}

// TestRolesHaveTheLeastRights holds what a role must not do, on a database that the worker's role has set up itself.
func TestRolesHaveTheLeastRights(t *testing.T) {
	server := postgrestest.Start(t)
	setRoles(t, server, postgrestest.Password)
	votes := openVotes(t, databaseAddress(server, workerRole, workerPassword))
	if err := votes.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := votes.Save(t.Context(), newVotes(poll.A, poll.B)); err != nil {
		t.Fatal(err)
	}
	wantTally(t, server, poll.Tally{A: 1, B: 1})

	worker, reader := session(t, server, workerRole, workerPassword), session(t, server, resultsRole, resultsPassword)
	for _, try := range []struct {
		role       *pgx.Conn
		statements []string
	}{
		{worker, []string{
			"COPY votes FROM PROGRAM 'id'", "COPY (SELECT 1) TO PROGRAM 'id'", "COPY (SELECT 1) TO '/tmp/poll'", "SELECT pg_read_file('/etc/passwd')",
			"CREATE ROLE another", "CREATE DATABASE another", "ALTER ROLE vote_worker SUPERUSER", "ALTER ROLE postgres PASSWORD 'another'",
			"SELECT * FROM pg_authid", "SET ROLE postgres", "ALTER SYSTEM SET log_statement = 'all'", "CREATE SCHEMA another",
			"CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'system'", "CREATE TEMPORARY TABLE t (n int)",
			"SET log_error_verbosity = 'default'",
		}},
		{reader, []string{
			"COPY (SELECT 1) TO PROGRAM 'id'", "INSERT INTO tally VALUES (0, 'a', 1)", "UPDATE tally SET votes = 0", "DELETE FROM tally", "TRUNCATE tally",
			"INSERT INTO votes VALUES (gen_random_uuid(), 'a', now())", "DELETE FROM votes", "SELECT * FROM votes", "SELECT * FROM unreadable_entries",
			"SELECT add_to_tally(1, 1)", "DROP TABLE tally", "CREATE TABLE t (n int)", "CREATE TEMPORARY TABLE t (n int)", "SELECT lo_create(0)",
			"SELECT lo_from_bytea(0, 'x')", "SET ROLE vote_worker", "ALTER ROLE results_app SUPERUSER", "CREATE SCHEMA another", "DELETE FROM poll_schema",
			"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		}},
	} {
		for _, statement := range try.statements {
			_, err := try.role.Exec(t.Context(), statement)
			var answer *pgconn.PgError
			if !errors.As(err, &answer) || answer.Code != "42501" {
				t.Errorf("%s: %s: %v, want permission denied", try.role.Config().User, statement, err)
			}
		}
	}
	// The error of two workers that store a new voter at once would tell the server's log who voted, and when.
	var verbosity string
	if err := worker.QueryRow(t.Context(), "SHOW log_error_verbosity").Scan(&verbosity); err != nil || verbosity != "terse" {
		t.Errorf("the server logs the worker's errors in the way %q (%v), want terse", verbosity, err)
	}
	for _, user := range []string{workerRole, resultsRole} {
		config := worker.Config()
		config.User, config.Password, config.Database = user, map[string]string{workerRole: workerPassword, resultsRole: resultsPassword}[user], "template1"
		if connection, err := pgx.ConnectConfig(t.Context(), config); err == nil {
			_ = connection.Close(t.Context())
			t.Errorf("%s may log in to the database template1", user)
		}
	}
}

// TestRolesAreThePrograms holds that each program logs in by itself as the role whose password the stack gives it.
func TestRolesAreThePrograms(t *testing.T) {
	if workerRole != environment.WorkerRole || resultsRole != environment.ResultsRole {
		t.Errorf("the roles are %s and %s, the programs' %s and %s", workerRole, resultsRole, environment.WorkerRole, environment.ResultsRole)
	}
}

// TestRolesAreSetSideBySide holds that several deployments may set the roles at once, as when an interrupted one still does. Roles are the
// server's, and PostgreSQL refuses two changes of one at the same moment.
func TestRolesAreSetSideBySide(t *testing.T) {
	server := postgrestest.Start(t)
	setRoles(t, server, postgrestest.Password)
	t.Run("at once", func(t *testing.T) {
		for range 12 {
			t.Run("deployment", func(t *testing.T) {
				t.Parallel()
				setRoles(t, server, newPassword)
			})
		}
	})
}
