package postgres

import (
	"context"
	_ "embed" // the statement
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"swarm-scale/poll"
)

//go:embed save.sql
var saveStatement string

const (
	// manyVotes is from how many votes on it pays to find out which voters are new.
	manyVotes = 500
	// newBatches is after how many large batches of new voters alone the next one is taken for such a one, too.
	newBatches = 3
)

// saveBatch stores one vote per voter, sorted by voter, in one transaction, and returns how many voters are new or changed.
//
// If the transaction before could not be confirmed, this one waits for the standby all the same, and for all that came before: it writes or
// locks a row of each voter.
func (v *Votes) saveBatch(ctx context.Context, votes []poll.Vote) (changed int64, err error) {
	err = committed(ctx, v.pool, func(connection *pgxpool.Conn) error {
		if len(votes) >= manyVotes {
			changed, err = v.saveMany(ctx, connection, votes)
			if !isTaken(err) {
				return err
			}
			// Another worker has just stored one of the new voters. The transaction was rolled back.
		}
		changed, err = upsert(ctx, connection, votes) // one statement is a transaction
		return err
	})
	return changed, err
}

// saveMany stores the votes of new voters by COPY, which costs the database half of what an upsert does, and upserts only the
// others. To look for them costs half as much again. While the voters of batch after batch are new it does not look: a voter who is known
// fails the COPY.
func (v *Votes) saveMany(ctx context.Context, connection *pgxpool.Conn, votes []poll.Vote) (changed int64, err error) {
	if v.newInARow.Load() >= newBatches {
		changed, err = copyNew(ctx, connection, votes) // one statement is a transaction
		if !isTaken(err) {
			return changed, err
		}
		v.newInARow.Store(0)
	}
	var again []poll.Vote
	err = inTransaction(ctx, connection, func(tx pgx.Tx) error {
		known, err := knownVoters(ctx, tx, votes)
		if err != nil {
			return err
		}
		var fresh []poll.Vote
		fresh, again = split(votes, known)
		if len(again) > 0 {
			if changed, err = upsert(ctx, tx, again); err != nil {
				return err
			}
		}
		copied, err := copyNew(ctx, tx, fresh)
		changed += copied
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(again) > 0 {
		v.newInARow.Store(0)
	} else {
		v.newInARow.Add(1)
	}
	return changed, nil
}

// copyNew stores the votes of voters who have none.
func copyNew(ctx context.Context, database copier, votes []poll.Vote) (int64, error) {
	return database.CopyFrom(ctx, pgx.Identifier{"votes"}, []string{"voter", "choice", "cast_at"}, &copySource{votes: votes})
}

// copier is a connection or a transaction.
type copier interface {
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// knownVoters are those of the voters who have a vote stored.
func knownVoters(ctx context.Context, tx pgx.Tx, votes []poll.Vote) (map[poll.VoterID]bool, error) {
	voters := make([][16]byte, len(votes))
	for i, vote := range votes {
		voters[i] = vote.Voter
	}
	rows, err := tx.Query(ctx, "SELECT voter FROM votes WHERE voter = ANY ($1::uuid[])", voters)
	if err != nil {
		return nil, err
	}
	known := map[poll.VoterID]bool{}
	var voter [16]byte
	_, err = pgx.ForEachRow(rows, []any{&voter}, func() error {
		known[voter] = true
		return nil
	})
	return known, err
}

// split separates the votes of unknown voters from those of known ones. Both keep their order.
func split(votes []poll.Vote, known map[poll.VoterID]bool) (fresh, again []poll.Vote) {
	if len(known) == 0 {
		return votes, nil
	}
	for _, vote := range votes {
		if known[vote.Voter] {
			again = append(again, vote)
		} else {
			fresh = append(fresh, vote)
		}
	}
	return fresh, again
}

// copySource gives votes to COPY.
type copySource struct {
	votes []poll.Vote
	next  int
	row   [3]any
}

// Next implements pgx.CopyFromSource.
func (c *copySource) Next() bool { return c.next < len(c.votes) }

// Values implements pgx.CopyFromSource.
func (c *copySource) Values() ([]any, error) {
	vote := &c.votes[c.next]
	c.next++
	c.row = [3]any{[16]byte(vote.Voter), rune(vote.Choice), vote.CastAt.Time()}
	return c.row[:], nil
}

// Err implements pgx.CopyFromSource.
func (c *copySource) Err() error { return nil }

// executor is a connection or a transaction.
type executor interface {
	Exec(ctx context.Context, statement string, arguments ...any) (pgconn.CommandTag, error)
}

// upsert stores the votes, but for those whose voter has a later one stored.
func upsert(ctx context.Context, database executor, votes []poll.Vote) (int64, error) {
	voters := make([][16]byte, len(votes))
	choices := make([]rune, len(votes))
	timestamps := make([]time.Time, len(votes))
	for i, vote := range votes {
		voters[i] = vote.Voter
		choices[i] = rune(vote.Choice)
		timestamps[i] = vote.CastAt.Time()
	}
	tag, err := database.Exec(ctx, saveStatement, voters, choices, timestamps)
	if err != nil {
		return 0, err
	}
	return tag.RowsAffected(), nil
}
