package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed" // the schema
	"encoding/hex"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
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

// setUpSchema makes the tables, functions and triggers unless they are there as this program knows them. Several workers
// may do so at once. It runs in one transaction: nobody sees half a schema.
func setUpSchema(ctx context.Context, pool *pgxpool.Pool) error {
	version := schemaVersion()
	// Asking for a table that is not there would write an error to the server's log.
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass('poll_schema') IS NOT NULL").Scan(&exists); err != nil {
		return err
	}
	if exists {
		var found string
		err := pool.QueryRow(ctx, "SELECT version FROM poll_schema").Scan(&found)
		if err == nil && found == version {
			return nil
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	return inTransaction(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock); err != nil {
			return err
		}
		// Without arguments pgx sends the text as it is, several statements at once.
		if _, err := tx.Exec(ctx, schema); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM poll_schema"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO poll_schema VALUES ($1)", version)
		return err
	})
}
