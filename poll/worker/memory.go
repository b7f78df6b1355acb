package worker

import (
	"context"
	"sync"
	"time"

	"swarm-scale/poll"
)

const (
	// generationTime and generationSize bound how long and how much a worker remembers: two generations, of 100 bytes a voter. The second copy
	// of a vote comes from another queue within seconds. For longer it must not count as stored: a database may be restored from a backup.
	generationTime = 3 * time.Second
	generationSize = 50_000
)

// memory is what a worker has stored, or is storing, lately. A vote may be in several queues. Whoever takes a copy of it
// need not store it again.
type memory struct {
	mu         sync.Mutex
	young, old map[poll.VoterID]remembered
	born       time.Time // when young began
}

// remembered is the latest vote of a voter.
type remembered struct {
	castAt poll.Timestamp
	choice poll.Choice
	batch  *batch
}

// batch is votes that are stored together.
type batch struct {
	ended chan struct{} // closed when err is known
	err   error
}

// failed reports whether the batch could not be stored.
func (b *batch) failed() bool {
	select {
	case <-b.ended:
		return b.err != nil
	default:
		return false
	}
}

// end says whether the batch has been stored.
func (b *batch) end(err error) {
	b.err = err
	close(b.ended)
}

func newMemory() *memory {
	return &memory{young: map[poll.VoterID]remembered{}, old: map[poll.VoterID]remembered{}, born: time.Now()}
}

// known returns a vote of the voter that is stored or being stored.
func (m *memory) known(voter poll.VoterID) (remembered, bool) {
	found, ok := m.young[voter]
	if !ok {
		found, ok = m.old[voter]
	}
	return found, ok && !found.batch.failed()
}

// claim returns the votes that the caller has to store, and then has to end their batch. The others are in the database already, or are
// being stored: copies has them by the batch that stores them, or a later vote of the voter.
func (m *memory) claim(votes []poll.Vote) (mine []poll.Vote, own *batch, copies map[*batch][]poll.Vote) {
	own = &batch{ended: make(chan struct{})}
	mine = make([]poll.Vote, 0, len(votes))
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= generationSize || time.Since(m.born) > generationTime {
		m.young, m.old, m.born = m.old, m.young, time.Now()
		clear(m.young) // which keeps its room: to grow a map costs as much as to fill it
	}
	for _, vote := range votes {
		before, ok := m.known(vote.Voter)
		if ok && !vote.Supersedes(poll.Vote{Voter: vote.Voter, Choice: before.choice, CastAt: before.castAt}) {
			if before.batch != own {
				if copies == nil {
					copies = map[*batch][]poll.Vote{}
				}
				copies[before.batch] = append(copies[before.batch], vote)
			}
			continue
		}
		mine = append(mine, vote)
		m.young[vote.Voter] = remembered{castAt: vote.CastAt, choice: vote.Choice, batch: own}
	}
	return mine, own, copies
}

// store saves the votes. Those that the worker has just stored, or is storing for another queue, it does not save again; if that fails, it
// does. It returns how many it saved, and how many voters are new or changed.
func (m *memory) store(ctx context.Context, votes []poll.Vote, save func([]poll.Vote) (int64, error)) (saved int, changed int64, err error) {
	mine, own, copies := m.claim(votes)
	if len(mine) > 0 {
		changed, err = save(mine)
	}
	own.end(err)
	if err != nil {
		return 0, changed, err
	}
	saved = len(mine)
	var again []poll.Vote
	for other, waiting := range copies {
		select {
		case <-other.ended:
		case <-ctx.Done():
			return saved, changed, ctx.Err()
		}
		if other.err != nil {
			again = append(again, waiting...)
		}
	}
	if len(again) == 0 {
		return saved, changed, nil
	}
	more, err := save(again)
	return saved + len(again), changed + more, err
}
