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
	copies  int
	setUp   atomic.Bool // the table was seen
}

var _ poll.Scoreboard = (*Scoreboard)(nil)

// tallyLimit is how long the server may take to add up the tally, a matter of microseconds.
const tallyLimit = 3 * time.Second

// NewScoreboard makes a scoreboard for the program of that name, where each vote is in so many queues. The database need not be up yet.
func NewScoreboard(address Address, program string, copies int) (*Scoreboard, error) {
	pool, err := open(address, use{program: program, connections: 2, statementLimit: tallyLimit})
	if err != nil {
		return nil, err
	}
	return &Scoreboard{pool: pool, address: address, copies: max(1, copies)}, nil
}

// Standing implements poll.Scoreboard.
func (s *Scoreboard) Standing(ctx context.Context) (poll.Standing, error) {
	if !s.setUp.Load() {
		// Asking for a table that is not there would write an error to the server's log, twice a second.
		var hasTally, hasQueues bool
		err := s.pool.QueryRow(ctx, "SELECT to_regclass('tally') IS NOT NULL, to_regclass('drained_queues') IS NOT NULL").Scan(&hasTally, &hasQueues)
		if err != nil {
			return poll.Standing{}, explain("look for the tally", s.address, err)
		}
		if !hasTally {
			return poll.Standing{}, nil // no worker has set up the database yet
		}
		if !hasQueues { // an earlier version has set it up
			tally, err := readTally(ctx, s.pool)
			return poll.Standing{Tally: tally}, explain("read the tally", s.address, err)
		}
		s.setUp.Store(true)
	}
	standing, err := readStanding(ctx, s.pool, s.copies)
	if isMissingSchema(err) { // another, empty database in place of the one we knew
		s.setUp.Store(false)
		return poll.Standing{}, nil
	}
	leaveStandby(s.pool, err)
	return standing, explain("read the tally", s.address, err)
}

// Tally is the tally alone.
func (s *Scoreboard) Tally(ctx context.Context) (poll.Tally, error) {
	standing, err := s.Standing(ctx)
	return standing.Tally, err
}

// readStanding reads tally and queues in one statement, so that both are of one moment. A note from the future says nothing: the server's
// clock was set back, or the note is another server's. A worker that follows the queue mends it.
//
// Where each vote is in two queues, one of them may be away: the vote is in another one. So the tally has every vote that was taken before the
// second oldest note.
func readStanding(ctx context.Context, pool *pgxpool.Pool, copies int) (poll.Standing, error) {
	var standing poll.Standing
	var queue *string
	var seconds *float64
	err := pool.QueryRow(ctx, `WITH notes AS (
			SELECT queue, CASE WHEN drained_to < clock_timestamp() + interval '1 second' THEN drained_to ELSE '-infinity' END AS noted
			FROM drained_queues WHERE drained_to < 'infinity')
		SELECT t.a, t.b, q.queue, q.seconds
		FROM (SELECT coalesce(sum(votes) FILTER (WHERE choice = 'a'), 0)::bigint AS a,
				coalesce(sum(votes) FILTER (WHERE choice = 'b'), 0)::bigint AS b FROM tally) AS t
			LEFT JOIN (SELECT queue, CASE WHEN isfinite(noted) THEN extract(epoch FROM clock_timestamp() - noted)::float8 END AS seconds
				FROM notes ORDER BY noted, queue LIMIT 1 OFFSET greatest(0, least($1::bigint, (SELECT count(*) FROM notes)) - 1)) AS q ON true`, copies).
		Scan(&standing.Tally.A, &standing.Tally.B, &queue, &seconds)
	if err != nil {
		return poll.Standing{}, err
	}
	if queue != nil {
		standing.Queue = *queue
	}
	if seconds != nil {
		standing.Known = true
		standing.Behind = max(0, time.Duration(*seconds*float64(time.Second)))
	}
	return standing, nil
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
