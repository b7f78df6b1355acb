package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

const (
	// maxBatch bounds one transaction, and with it the memory both sides need for it (about 100 bytes a vote).
	maxBatch = 10_000
	// saveLimit is how long the server may work on one batch: far longer than it takes, so that only a stuck one is cancelled.
	saveLimit = 45 * time.Second
	// maxRollbacks is how often a batch is repeated at once after the server rolled it back in favour of another worker's.
	maxRollbacks = 10
)

// Votes is the workers' side of the database. It implements poll.Votes and is safe for concurrent use. It sets up its
// schema when it first needs it, and again if the schema is gone.
type Votes struct {
	pool    *pgxpool.Pool
	address Address

	newInARow atomic.Int64 // large batches since the last one with a voter who was known

	setUp sync.Mutex
	ready bool
}

var _ poll.Votes = (*Votes)(nil)

// NewVotes makes the workers' side of the database for the program of that name, with up to so many connections: as many
// batches can be saved at once. The database need not be up yet.
func NewVotes(address Address, program string, connections int) (*Votes, error) {
	pool, err := open(address, use{program: program, connections: connections, statementLimit: saveLimit})
	if err != nil {
		return nil, err
	}
	return &Votes{pool: pool, address: address}, nil
}

// Prepare implements poll.Votes: it sets up the schema.
func (v *Votes) Prepare(ctx context.Context) error {
	v.setUp.Lock()
	v.ready = false // so that the server is asked
	v.setUp.Unlock()
	return explain("set up the database", v.address, v.ensureSchema(ctx))
}

// Save implements poll.Votes. Each 10,000 voters are one transaction, so after an error some may be stored and others not.
func (v *Votes) Save(ctx context.Context, votes []poll.Vote) (int64, error) {
	latest := poll.Latest(append([]poll.Vote(nil), votes...))
	var changed int64
	for len(latest) > 0 {
		batch := latest[:min(len(latest), maxBatch)]
		latest = latest[len(batch):]
		err := v.withSchema(ctx, func() error {
			return retryRolledBack(ctx, func() error {
				n, err := v.saveBatch(ctx, batch)
				changed += n
				return err
			})
		})
		if err != nil {
			return changed, explain("store votes", v.address, err)
		}
	}
	return changed, nil
}

// KeepDeadLetters implements poll.Votes.
func (v *Votes) KeepDeadLetters(ctx context.Context, letters []poll.DeadLetter) error {
	err := v.withSchema(ctx, func() error {
		return committed(ctx, v.pool, func(connection *pgxpool.Conn) error {
			return inTransaction(ctx, connection, func(tx pgx.Tx) error {
				for _, letter := range letters {
					// An entry that is there is locked, so that the commit waits for the standby, too.
					_, err := tx.Exec(ctx, `INSERT INTO unreadable_entries (queue, id, reason, content) VALUES ($1, $2, $3, $4)
						ON CONFLICT (queue, id) DO UPDATE SET reason = excluded.reason WHERE false`, letter.Queue, letter.ID, letter.Reason, letter.Content)
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
	return explain("keep dead letters", v.address, err)
}

// Record implements poll.Votes. The times are by the server's clock: what it says after the queues were asked, less the time since.
// So the clocks of different machines do not matter, and a slow answer makes the times too early, never too late.
func (v *Votes) Record(ctx context.Context, progress []poll.Progress) error {
	err := v.withSchema(ctx, func() error {
		var now time.Time
		if err := v.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
			return err
		}
		answered := time.Now()
		queues := make([]string, len(progress))
		times := make([]pgtype.Timestamptz, len(progress))
		inUse := []string{}
		for i, p := range progress {
			queues[i] = p.Queue
			times[i] = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
			if p.Known {
				times[i] = pgtype.Timestamptz{Time: now.Add(-answered.Sub(p.At) - p.Behind), Valid: true}
			}
			if p.InUse {
				inUse = append(inUse, p.Queue)
			}
		}
		_, err := v.pool.Exec(ctx, `INSERT INTO drained_queues AS q (queue, drained_to)
			SELECT n.queue, n.drained_to FROM unnest($1::text[], $2::timestamptz[]) AS n (queue, drained_to) ORDER BY n.queue
			ON CONFLICT (queue) DO UPDATE
				SET drained_to = greatest(CASE WHEN q.drained_to < 'infinity' THEN least(q.drained_to, clock_timestamp()) END, excluded.drained_to)
				WHERE q.drained_to < 'infinity' OR q.queue = ANY ($3::text[])`,
			queues, times, inUse)
		return err
	})
	return explain("note the progress", v.address, err)
}

// Retire implements poll.Votes.
func (v *Votes) Retire(ctx context.Context, queues []string) error {
	err := v.withSchema(ctx, func() error {
		_, err := v.pool.Exec(ctx, `INSERT INTO drained_queues (queue, drained_to) SELECT DISTINCT queue, 'infinity'::timestamptz FROM unnest($1::text[]) AS n (queue)
			ORDER BY queue ON CONFLICT (queue) DO UPDATE SET drained_to = excluded.drained_to`, queues)
		return err
	})
	return explain("retire queues", v.address, err)
}

// Forget retires queues that are lost, by their names. If one is not known, it forgets none, and the error names those that are known.
func (v *Votes) Forget(ctx context.Context, queues []string) error {
	var known []string
	err := v.withSchema(ctx, func() error {
		rows, err := v.pool.Query(ctx, "SELECT queue FROM drained_queues ORDER BY queue")
		if err != nil {
			return err
		}
		known, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return explain("look for the queues", v.address, err)
	}
	for _, queue := range queues {
		if !slices.Contains(known, queue) {
			return fmt.Errorf("no worker has noted a queue %s: the known ones are %s", queue, strings.Join(known, ", "))
		}
	}
	return v.Retire(ctx, queues)
}

// Recount counts the stored votes again, and returns what the tally was before and is now. Meanwhile nobody can store votes. It also
// makes what is missing of the schema.
func (v *Votes) Recount(ctx context.Context) (before, after poll.Tally, err error) {
	err = retryRolledBack(ctx, func() error {
		return inTransaction(ctx, v.pool, func(tx pgx.Tx) error {
			var err error
			before, after, err = recount(ctx, tx)
			return err
		})
	})
	return before, after, explain("count the votes", v.address, err)
}

// Close ends the connections.
func (v *Votes) Close() { v.pool.Close() }

// withSchema sets up the schema and runs work. If the schema turns out to be gone (a new, empty database in place of the old
// one), it does both once more.
func (v *Votes) withSchema(ctx context.Context, work func() error) error {
	if err := v.ensureSchema(ctx); err != nil {
		return err
	}
	err := work()
	if !isMissingSchema(err) {
		leaveStandby(v.pool, err)
		return err
	}
	v.setUp.Lock()
	v.ready = false
	v.setUp.Unlock()
	if err := v.ensureSchema(ctx); err != nil {
		return err
	}
	return work()
}

func (v *Votes) ensureSchema(ctx context.Context) error {
	v.setUp.Lock()
	defer v.setUp.Unlock()
	if v.ready {
		return nil
	}
	if err := setUpSchema(ctx, v.pool); err != nil {
		return err
	}
	v.ready = true
	return nil
}

// retryRolledBack repeats work while the server rolls it back in favour of another transaction.
func retryRolledBack(ctx context.Context, work func() error) error {
	for attempt := 0; ; attempt++ {
		err := work()
		if !isRolledBack(err) || attempt == maxRollbacks {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(1+rand.IntN(10<<min(attempt, 5))) * time.Millisecond):
		}
	}
}
