package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"swarm-scale/poll"
)

// storing is what a test has stored.
type storing struct {
	memory *memory
	calls  [][]poll.Vote
}

// store stores votes; before is called in the middle, and its error is the database's.
func (s *storing) store(t *testing.T, before func() error, votes ...poll.Vote) (int, error) {
	t.Helper()
	saved, _, err := s.memory.store(t.Context(), votes, func(votes []poll.Vote) (int64, error) {
		s.calls = append(s.calls, votes)
		if before != nil {
			return 0, before()
		}
		return int64(len(votes)), nil
	})
	return saved, err
}

func vote(choice poll.Choice) poll.Vote {
	return poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())}
}

func TestCopyIsNotStoredAgain(t *testing.T) {
	s := &storing{memory: newMemory()}
	first, other := vote(poll.A), vote(poll.B)
	if saved, err := s.store(t, nil, first, other, first); saved != 2 || err != nil {
		t.Errorf("stored %d votes (%v), want 2", saved, err)
	}
	if saved, err := s.store(t, nil, other, first); saved != 0 || err != nil || len(s.calls) != 1 {
		t.Errorf("stored %d copies in %d calls (%v)", saved, len(s.calls), err)
	}
	later, earlier := first, first
	later.CastAt++
	earlier.CastAt--
	if saved, err := s.store(t, nil, earlier, later); saved != 1 || err != nil || s.calls[1][0] != later {
		t.Errorf("stored %d of an earlier vote and a later one (%v): %v", saved, err, s.calls)
	}
}

// Only where each vote is in several queues does a worker remember it.
func TestWorkerRemembersWhereThereAreCopies(t *testing.T) {
	for copies, want := range map[int]int{0: 2, 1: 2, 2: 1} {
		saver := &savings{}
		w := New(saver, nil, Options{Copies: copies})
		for range 2 {
			if _, _, err := w.store(t.Context(), []poll.Vote{{Voter: poll.VoterID{1}, Choice: poll.A, CastAt: 1}}); err != nil {
				t.Fatal(err)
			}
		}
		if saver.calls != want {
			t.Errorf("%d copies: the database is asked %d times for 2 of one vote, want %d", copies, saver.calls, want)
		}
	}
}

// savings counts how often votes are saved.
type savings struct {
	poll.Votes
	calls int
}

func (s *savings) Save(_ context.Context, votes []poll.Vote) (int64, error) {
	s.calls++
	return int64(len(votes)), nil
}

// A copy waits for the batch that has the vote, and is stored itself if that one fails.
func TestCopyOfAVoteThatIsBeingStored(t *testing.T) {
	for name, fault := range map[string]error{"stored": nil, "failed": errors.New("the database is away")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &storing{memory: newMemory()}
				one := vote(poll.A)
				release := make(chan struct{})
				go func() {
					if _, err := s.store(t, func() error { <-release; return fault }, one); !errors.Is(err, fault) {
						t.Errorf("the first one ended with %v", err)
					}
				}()
				synctest.Wait()
				ended := make(chan int)
				go func() {
					saved, err := s.store(t, nil, one)
					if err != nil {
						t.Error(err)
					}
					ended <- saved
				}()
				synctest.Wait()
				select {
				case <-ended:
					t.Error("the copy counts as stored while the vote is being stored")
				default:
				}
				close(release)
				want := 0
				if fault != nil {
					want = 1
				}
				if saved := <-ended; saved != want {
					t.Errorf("stored %d copies, want %d", saved, want)
				}
			})
		})
	}
}

func TestVoteOfAFailedBatchIsStored(t *testing.T) {
	s := &storing{memory: newMemory()}
	one := vote(poll.A)
	if _, err := s.store(t, func() error { return context.DeadlineExceeded }, one); err == nil {
		t.Error("the failure was not told")
	}
	if saved, err := s.store(t, nil, one); saved != 1 || err != nil {
		t.Errorf("stored %d votes (%v), want 1", saved, err)
	}
}

func TestMemoryIsOfSecondsAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storing{memory: newMemory()}
		one := vote(poll.A)
		for range 2 {
			if _, err := s.store(t, nil, one); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			time.Sleep(generationTime + time.Second)
			if _, err := s.store(t, nil, vote(poll.B)); err != nil {
				t.Fatal(err)
			}
		}
		if saved, err := s.store(t, nil, one); saved != 1 || err != nil {
			t.Errorf("after %s it stored %d votes (%v), want 1", 2*generationTime, saved, err)
		}
		for range 5 {
			many := make([]poll.Vote, generationSize)
			for i := range many {
				many[i] = vote(poll.A)
			}
			if _, err := s.store(t, nil, many...); err != nil {
				t.Fatal(err)
			}
		}
		if held := len(s.memory.young) + len(s.memory.old); held > 2*generationSize+1 {
			t.Errorf("it remembers %d voters", held)
		}
	})
}
