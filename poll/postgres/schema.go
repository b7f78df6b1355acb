package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed" // the schema
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

//go:embed schema.sql
var schema string

// schemaLock is the advisory lock that lets one worker at a time set up the schema: "poll" in ASCII.
const schemaLock = 0x706f6c6c

// schemaVersion changes whenever schema.sql does.
func schemaVersion() string {
	sum := sha256.Sum256([]byte(schema))
	return hex.EncodeToString(sum[:8])
}

// markedTriggers is how many triggers schema.sql marks.
func markedTriggers() int { return strings.Count(schema, "ENABLE ALWAYS TRIGGER") }

// setUpSchema makes the tables, functions and triggers, and counts the tally, unless all is as this program left it. After a
// restore, for instance, it is not. Several workers may do so at once. It runs in one transaction: nobody sees half a schema.
func setUpSchema(ctx context.Context, pool *pgxpool.Pool) error {
	intact, err := schemaIsIntact(ctx, pool)
	if err != nil || intact {
		return err
	}
	return inTransaction(ctx, pool, func(tx pgx.Tx) error {
		if err := lockSchema(ctx, tx); err != nil {
			return err
		}
		return runSchema(ctx, tx)
	})
}

// lockSchema lets one transaction at a time set up the schema. It comes before any lock of a table, so that two cannot deadlock.
func lockSchema(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock)
	return err
}

// mark is an expression for what poll_schema notes of a run of schema.sql: the version, and what no dump keeps true, the tables and the
// transaction. So a row that a restore wrote is none, nor is one beside a table that a restore made anew. It is to be formatted with the
// transaction.
const mark = `concat_ws(' ', $1::text, to_regclass('votes')::oid, to_regclass('tally')::oid, %s)`

// runSchema runs schema.sql, which ends with a counted tally, and notes it. The transaction has the lock of lockSchema.
func runSchema(ctx context.Context, tx pgx.Tx) error {
	// Without arguments pgx sends the text as it is, several statements at once.
	if _, err := tx.Exec(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM poll_schema"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO poll_schema VALUES ("+fmt.Sprintf(mark, "pg_current_xact_id()::xid")+")", schemaVersion())
	return err
}

// schemaIsIntact reports whether the schema has this program's version, no other beside it, and the tables that it was run for, and all
// triggers have their mark.
func schemaIsIntact(ctx context.Context, pool *pgxpool.Pool) (intact bool, err error) {
	// Asking for a table that is not there would write an error to the server's log.
	if err := pool.QueryRow(ctx, "SELECT to_regclass('poll_schema') IS NOT NULL").Scan(&intact); err != nil || !intact {
		return false, err
	}
	err = pool.QueryRow(ctx, `SELECT (SELECT count(*) FILTER (WHERE version = `+fmt.Sprintf(mark, "xmin")+`) = 1 AND count(*) = 1 FROM poll_schema)
		AND (SELECT count(*) = $2 FROM pg_trigger
			WHERE tgrelid IN (to_regclass('votes'), to_regclass('tally')) AND tgenabled = 'A')`,
		schemaVersion(), markedTriggers()).Scan(&intact)
	return intact, err
}

// recount counts the votes again, while nobody can store any, and returns what the tally was before and is now.
func recount(ctx context.Context, tx pgx.Tx) (before, after poll.Tally, err error) {
	if err := lockSchema(ctx, tx); err != nil {
		return before, after, err
	}
	var exists bool
	err = tx.QueryRow(ctx, "SELECT to_regclass('votes') IS NOT NULL AND to_regclass('tally') IS NOT NULL").Scan(&exists)
	if err != nil {
		return before, after, err
	}
	if exists {
		if _, err := tx.Exec(ctx, "LOCK TABLE votes IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return before, after, err
		}
		if before, err = readTally(ctx, tx); err != nil {
			return before, after, err
		}
	}
	if err := runSchema(ctx, tx); err != nil {
		return before, after, err
	}
	after, err = readTally(ctx, tx)
	return before, after, err
}
