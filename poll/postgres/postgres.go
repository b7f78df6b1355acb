// Package postgres keeps the votes and their tally in PostgreSQL 15 or newer. The workers write through [Votes], the
// results page reads through [Scoreboard].
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

// connectTimeout is how long one attempt to reach the server may take.
const connectTimeout = 3 * time.Second

// Address says where the database is and who asks.
type Address struct {
	// Servers are host:port pairs. Of several, one at a time takes writes: whoever connects finds it by asking each.
	Servers        []string
	User, Database string
	Password       string
	// TLS has connections encrypted, and a server accepted only with a certificate for the host by which it is called. False: neither. Such
	// connections stay on the cluster's network, where the server's stock image has no certificate.
	TLS bool
	// Authorities are the certificates of those who sign the servers' ones, in PEM. Empty: the authorities of the system.
	Authorities string
}

// use says how a program uses the database.
type use struct {
	program        string        // application_name: how pg_stat_activity shows the connections
	connections    int           // at most this many at once
	statementLimit time.Duration // longer statements are cancelled by the server
}

// String is the address without the password, for messages: user@host:port,host:port/database.
func (a Address) String() string {
	return a.User + "@" + strings.Join(a.Servers, ",") + "/" + a.Database
}

// open makes a pool that connects when it is used, and again when a connection is lost, so that the database need not be up
// yet.
func open(address Address, use use) (*pgxpool.Pool, error) {
	// The variables PGHOST, PGSSLMODE and so on have no effect: all that they could set is set here and below.
	config, err := pgxpool.ParseConfig("host=localhost port=5432 user=postgres password=none dbname=postgres " +
		"sslmode=disable target_session_attrs=any connect_timeout=3")
	if err != nil {
		return nil, fmt.Errorf("postgres at %s: %w", address, err)
	}
	connection := config.ConnConfig
	if err := setServers(&connection.Config, address); err != nil {
		return nil, fmt.Errorf("postgres at %s: %w", address, err)
	}
	connection.User = address.User
	connection.Database = address.Database
	connection.Password = passwordForSCRAM(address.Password)
	connection.ConnectTimeout = connectTimeout
	connection.DialFunc = dialer().DialContext
	connection.OnNotice = noteWarning
	connection.RuntimeParams = map[string]string{
		"application_name": use.program,
		"timezone":         "UTC",
		// The queue forgets a vote after the commit, so the commit must mean that the vote is on disk, whatever the server's
		// default.
		"synchronous_commit":                  "on",
		"statement_timeout":                   strconv.FormatInt(use.statementLimit.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": "60000",
	}
	config.MaxConns = int32(max(use.connections, 1))
	config.MinConns = 0
	config.MaxConnIdleTime = 5 * time.Minute
	config.HealthCheckPeriod = 30 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("postgres at %s: %w", address, err)
	}
	return pool, nil
}

// explain wraps an error with what was tried, and with poll.ErrUnavailable if trying again later may help.
func explain(what string, address Address, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || !isTemporary(err) {
		return fmt.Errorf("%s at %s: %w", what, address, err)
	}
	return fmt.Errorf("%s at %s: %w: %w", what, address, poll.ErrUnavailable, err)
}

// isTemporary reports whether an error means "not now", rather than that the statement is wrong. What is no answer of the
// server (no connection, a lost one, no time left) is temporary; so are answers of these classes of SQLSTATE.
func isTemporary(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return true
	}
	for _, class := range []string{
		"08",    // connection
		"25006", // read only, for instance a standby
		"40",    // rolled back: serialization, deadlock
		"53",    // out of disk, memory or connections
		"55",    // not in the state for it, for instance a lock not available
		"57",    // shutting down, starting up, cancelled
		"58",    // the system under it, for instance an input/output error
		"3D000", // the database does not exist yet
	} {
		if strings.HasPrefix(answer.Code, class) {
			return true
		}
	}
	return false
}

// isRolledBack reports whether the server rolled the transaction back in favour of another. It can be repeated at once.
func isRolledBack(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && (answer.Code == "40001" || answer.Code == "40P01")
}

// isTaken reports whether a row could not be inserted because its key is there already.
func isTaken(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "23505"
}

// isMissingSchema reports whether a table, function or column is not there.
func isMissingSchema(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) &&
		(answer.Code == "42P01" || answer.Code == "42883" || answer.Code == "42703" || answer.Code == "3F000")
}

// inTransaction runs work in one transaction.
func inTransaction(ctx context.Context, database beginner, work func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, database, work)
}

// beginner is a pool or a connection.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// committed runs work, which commits, on one connection. The error is unconfirmedError if the server commits with a warning.
func committed(ctx context.Context, pool *pgxpool.Pool, work func(*pgxpool.Conn) error) error {
	connection, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer connection.Release()
	clearWarning(connection.Conn().PgConn())
	if err := work(connection); err != nil {
		return err
	}
	return confirmed(connection.Conn().PgConn())
}
