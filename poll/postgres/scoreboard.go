package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

// Scoreboard is the results page's side of the database. It implements poll.Scoreboard. It only reads, at most 32 rows however
// many votes there are.
type Scoreboard struct {
	pool    *pgxpool.Pool
	address Address
	setUp   atomic.Bool // the table was seen
}

var _ poll.Scoreboard = (*Scoreboard)(nil)

// tallyLimit is how long the server may take to add up the tally, a matter of microseconds.
const tallyLimit = 3 * time.Second

// NewScoreboard makes a scoreboard for the program of that name. The database need not be up yet.
func NewScoreboard(address Address, program string) (*Scoreboard, error) {
	pool, err := open(address, use{program: program, connections: 2, statementLimit: tallyLimit})
	if err != nil {
		return nil, err
	}
	return &Scoreboard{pool: pool, address: address}, nil
}

// Tally implements poll.Scoreboard.
func (s *Scoreboard) Tally(ctx context.Context) (poll.Tally, error) {
	if !s.setUp.Load() {
		// Asking for a table that is not there would write an error to the server's log, twice a second.
		var exists bool
		if err := s.pool.QueryRow(ctx, "SELECT to_regclass('tally') IS NOT NULL").Scan(&exists); err != nil {
			return poll.Tally{}, explain("look for the tally", s.address, err)
		}
		if !exists {
			return poll.Tally{}, nil // no worker has set up the database yet
		}
		s.setUp.Store(true)
	}
	tally, err := readTally(ctx, s.pool)
	if isMissingSchema(err) { // another, empty database in place of the one we knew
		s.setUp.Store(false)
		return poll.Tally{}, nil
	}
	if err != nil {
		return poll.Tally{}, explain("read the tally", s.address, err)
	}
	return tally, nil
}

// reader is a pool or a transaction.
type reader interface {
	Query(ctx context.Context, statement string, arguments ...any) (pgx.Rows, error)
}

// readTally adds up the slots.
func readTally(ctx context.Context, database reader) (tally poll.Tally, err error) {
	rows, err := database.Query(ctx, "SELECT choice::text, sum(votes)::bigint FROM tally GROUP BY choice")
	if err != nil {
		return poll.Tally{}, err
	}
	var choice string
	var votes int64
	_, err = pgx.ForEachRow(rows, []any{&choice, &votes}, func() error {
		switch choice {
		case poll.A.String():
			tally.A = votes
		case poll.B.String():
			tally.B = votes
		}
		return nil
	})
	return tally, err
}

// Close ends the connections.
func (s *Scoreboard) Close() { s.pool.Close() }
