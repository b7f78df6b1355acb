package redis_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/eventually"
	"swarm-scale/test/redistest"
)

// newCopiedQueue makes a queue that writes each vote to two of these servers; the first one is its own.
func newCopiedQueue(t *testing.T, servers ...*redistest.Server) *redis.Queue {
	t.Helper()
	copies := redis.Copies{Number: 2}
	for _, partner := range servers[1:] {
		copies.Partners = append(copies.Partners, partner.Address)
	}
	queue, err := redis.NewCopiedQueue(servers[0].Address, copies)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.Close)
	return queue
}

// votesIn counts the votes in a server's queue, by voter.
func votesIn(t *testing.T, server *redistest.Server) map[poll.VoterID]bool {
	t.Helper()
	found := map[poll.VoterID]bool{}
	backlog := newBacklog(t, server, "counter")
	for {
		entries := next(t, backlog, 1000)
		if len(entries) == 0 {
			return found
		}
		for _, entry := range entries {
			for _, vote := range entry.Votes {
				found[vote.Voter] = true
			}
		}
	}
}

func TestEachVoteIsInTwoRedis(t *testing.T) {
	own, partner, third := redistest.Start(t), redistest.Start(t), redistest.Start(t)
	queue := newCopiedQueue(t, own, partner, third)
	vote := newVote(poll.A)
	if err := queue.Append(t.Context(), vote); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[*redistest.Server]bool{own: true, partner: true, third: false} {
		if votesIn(t, name)[vote.Voter] != want {
			t.Errorf("the vote is in %s: %v, want %v", name.Address, !want, want)
		}
	}
}

// Whichever Redis fails, and however, a vote is taken as long as two are left, within the time that a partner may be silent.
func TestVotesAreTakenWhileTwoRedisAreLeft(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *redistest.Server){
		"killed":        func(_ *testing.T, server *redistest.Server) { server.Kill() },
		"hung":          func(t *testing.T, server *redistest.Server) { server.Pause(t) },
		"out of memory": func(t *testing.T, server *redistest.Server) { server.Do(t, "CONFIG", "SET", "maxmemory", "1") },
	} {
		for i, which := range []string{"own", "partner"} {
			t.Run(name+" "+which, func(t *testing.T) {
				t.Parallel()
				servers := []*redistest.Server{redistest.Start(t), redistest.Start(t), redistest.Start(t)}
				queue := newCopiedQueue(t, servers...)
				if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
					t.Fatal(err)
				}
				fail(t, servers[i])
				var votes []poll.Vote
				for range 20 {
					vote := newVote(poll.B)
					if err := queue.Append(t.Context(), vote); err != nil {
						t.Fatalf("with %s %s: %v", which, name, err)
					}
					votes = append(votes, vote)
				}
				if err := queue.CheckAccepts(t.Context()); err != nil {
					t.Errorf("the check says %v", err)
				}
				for j, server := range servers {
					if j == i {
						continue
					}
					found := votesIn(t, server)
					for _, vote := range votes {
						if !found[vote.Voter] {
							t.Errorf("an acknowledged vote is not in both others")
						}
					}
				}
			})
		}
	}
}

// With one Redis left a vote is refused, and taken again when there is a second one.
func TestVoteIsRefusedWithoutASecondRedis(t *testing.T) {
	own, partner := redistest.Start(t), redistest.Start(t)
	queue := newCopiedQueue(t, own, partner)
	partner.Kill()
	for range 5 {
		if err := queue.Append(t.Context(), newVote(poll.A)); !errors.Is(err, poll.ErrUnavailable) {
			t.Fatalf("the vote was answered with %v, want ErrUnavailable", err)
		}
	}
	if err := queue.CheckAccepts(t.Context()); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the check says %v, want ErrUnavailable", err)
	}
	if err := queue.CheckWritable(t.Context()); err != nil {
		t.Errorf("its own Redis takes writes, but the check says %v", err)
	}
	partner.Restart(t)
	eventually.Succeeds(t, 30*time.Second, "votes are taken with the partner back", func() error {
		return queue.Append(t.Context(), newVote(poll.A))
	})
}

// A slow disk of the queue's own Redis is waited for if there is no third Redis.
func TestSlowOwnRedisIsWaitedFor(t *testing.T) {
	own, partner := redistest.Start(t), redistest.Start(t)
	queue := newCopiedQueue(t, own, partner)
	if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
		t.Fatal(err)
	}
	own.Pause(t)
	resumed := time.AfterFunc(time.Second, func() { own.Resume(t) })
	defer resumed.Stop()
	if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
		t.Error(err)
	}
}

func TestPartnersChangeWhileVotesComeIn(t *testing.T) {
	own, former, latter := redistest.Start(t), redistest.Start(t), redistest.Start(t)
	queue := newCopiedQueue(t, own, former)
	if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
		t.Fatal(err)
	}
	if err := queue.SetPartners([]string{"latter"}); err == nil {
		t.Error("an address without a port was taken")
	}
	if err := queue.SetPartners([]string{own.Address, latter.Address, latter.Address}); err != nil {
		t.Fatal(err)
	}
	vote := newVote(poll.A)
	if err := queue.Append(t.Context(), vote); err != nil {
		t.Fatal(err)
	}
	if votesIn(t, former)[vote.Voter] || !votesIn(t, latter)[vote.Voter] {
		t.Error("the vote went to the former partner")
	}
}

// A Redis dies or hangs with its disk, round after round, while votes come in: each acknowledged vote is in another one.
func TestNoAcknowledgedVoteIsLostWithOneDisk(t *testing.T) {
	servers := []*redistest.Server{redistest.Start(t), redistest.Start(t), redistest.Start(t)}
	queue := newCopiedQueue(t, servers...)
	stop := make(chan struct{})
	var (
		voters       sync.WaitGroup
		mu           sync.Mutex
		acknowledged = map[poll.VoterID]bool{}
		stored       = map[poll.VoterID]bool{}
		refused      atomic.Int64
	)
	for range 8 {
		voters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				vote := newVote(poll.A)
				if err := queue.Append(t.Context(), vote); err != nil {
					refused.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				mu.Lock()
				acknowledged[vote.Voter] = true
				mu.Unlock()
			}
		})
	}
	collect := func(server *redistest.Server) {
		for voter := range votesIn(t, server) {
			stored[voter] = true
		}
	}
	for round := range 4 {
		lost := servers[round%2]
		time.Sleep(300 * time.Millisecond)
		if round > 1 {
			lost.Pause(t)
			time.Sleep(700 * time.Millisecond)
		}
		lost.Lose(t)
		time.Sleep(300 * time.Millisecond)
		// The workers take what the others have, before the next disk is lost.
		for _, server := range servers {
			if server != lost {
				collect(server)
			}
		}
		lost.Restart(t)
		time.Sleep(1200 * time.Millisecond)
		for _, server := range servers {
			collect(server)
		}
	}
	close(stop)
	voters.Wait()
	for _, server := range servers {
		collect(server)
	}
	missing := 0
	for voter := range acknowledged {
		if !stored[voter] {
			missing++
		}
	}
	if missing > 0 || len(acknowledged) < 100 {
		t.Errorf("%d of %d acknowledged votes are in no Redis (%d refused)", missing, len(acknowledged), refused.Load())
	}
}
