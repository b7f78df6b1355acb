package postgres

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

const (
	// maxBatch bounds one transaction, and with it the memory both sides need for it (about 100 bytes a vote).
	maxBatch = 10_000
	// saveLimit is how long the server may work on one batch: far longer than it takes, so that only a stuck one is hit.
	saveLimit = 45 * time.Second
	// maxRollbacks is how often a batch is tried again at once after the server rolled it back for another worker's.
	maxRollbacks = 10
)

// Store is the workers' side of the database. It implements poll.Store and is safe for concurrent use. It sets up its
// schema when it first needs it, and again if it finds it gone.
type Store struct {
	pool    *pgxpool.Pool
	address Address

	setUp sync.Mutex
	ready bool
}

var _ poll.Store = (*Store)(nil)

// NewStore makes a store for the program of that name, which saves up to so many batches at once. The database need not
// be up yet.
func NewStore(address Address, program string, batches int) (*Store, error) {
	pool, err := open(address, use{program: program, connections: batches, statementLimit: saveLimit})
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool, address: address}, nil
}

// Prepare implements poll.Store: it sets up the schema.
func (s *Store) Prepare(ctx context.Context) error {
	s.setUp.Lock()
	s.ready = false // ask the server, not the memory
	s.setUp.Unlock()
	return explain("set up the database", s.address, s.ensureSchema(ctx))
}

// Save implements poll.Store. Each 10,000 voters are one transaction, so after an error some may be stored and others not.
func (s *Store) Save(ctx context.Context, votes []poll.Vote) (int64, error) {
	latest := poll.Latest(append([]poll.Vote(nil), votes...))
	var changed int64
	for len(latest) > 0 {
		batch := latest[:min(len(latest), maxBatch)]
		latest = latest[len(batch):]
		err := s.withSchema(ctx, func() error {
			return retryRolledBack(ctx, func() error {
				n, err := s.saveBatch(ctx, batch)
				changed += n
				return err
			})
		})
		if err != nil {
			return changed, explain("store votes", s.address, err)
		}
	}
	return changed, nil
}

// KeepUnreadable implements poll.Store.
func (s *Store) KeepUnreadable(ctx context.Context, aside []poll.Unreadable) error {
	err := s.withSchema(ctx, func() error {
		return inTransaction(ctx, s.pool, func(tx pgx.Tx) error {
			for _, entry := range aside {
				_, err := tx.Exec(ctx, `INSERT INTO unreadable_entries (queue, id, reason, content)
					VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, entry.Queue, entry.ID, entry.Reason, entry.Content)
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	return explain("keep unreadable entries", s.address, err)
}

// Close ends the connections.
func (s *Store) Close() { s.pool.Close() }

// withSchema runs work with the schema set up, and once more if it turns out that somebody removed it (a new, empty
// database in place of the old one).
func (s *Store) withSchema(ctx context.Context, work func() error) error {
	if err := s.ensureSchema(ctx); err != nil {
		return err
	}
	err := work()
	if !isMissingSchema(err) {
		return err
	}
	s.setUp.Lock()
	s.ready = false
	s.setUp.Unlock()
	if err := s.ensureSchema(ctx); err != nil {
		return err
	}
	return work()
}

func (s *Store) ensureSchema(ctx context.Context) error {
	s.setUp.Lock()
	defer s.setUp.Unlock()
	if s.ready {
		return nil
	}
	if err := setUpSchema(ctx, s.pool); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// retryRolledBack repeats work while the server rolls it back for the sake of another transaction.
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
