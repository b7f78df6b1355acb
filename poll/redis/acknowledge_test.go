package redis_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/redistest"
)

// Several workers take votes, acknowledge them in any order, all or some, once or twice, and take each other's over, while
// more come in: what is in the queue is always exactly what nobody has acknowledged.
func TestAcknowledgeTakesNothingElse(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		server := redistest.Start(t)
		queue := newQueue(t, server)
		workers := []*redis.Backlog{newBacklog(t, server, "worker01"), newBacklog(t, server, "worker02"), newBacklog(t, server, "worker03")}
		unacknowledged := map[poll.VoterID]bool{}
		hands := make([][]poll.Entry, len(workers))
		for range 60 {
			for range random.IntN(40) {
				vote := newVote(poll.A)
				if err := queue.Append(t.Context(), vote); err != nil {
					t.Fatal(err)
				}
				unacknowledged[vote.Voter] = true
			}
			who := random.IntN(len(workers))
			hands[who] = append(hands[who], next(t, workers[who], 1+random.IntN(60))...)
			if random.IntN(4) == 0 {
				taken, _, err := workers[who].TakeOver(t.Context(), 1+random.IntN(50), 0, "")
				if err != nil {
					t.Fatal(err)
				}
				hands[who] = append(hands[who], taken...)
			}
			if random.IntN(6) == 0 && len(hands[who]) > 0 { // somebody else deletes one
				gone := hands[who][random.IntN(len(hands[who]))]
				server.Do(t, "XDEL", redis.Stream, gone.ID)
				delete(unacknowledged, gone.Votes[0].Voter)
			}
			acknowledgeSome(t, random, workers[who], &hands[who], unacknowledged)
			wantSize(t, workers[who], int64(len(unacknowledged)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		// Who they are: hand everything to one worker.
		left := map[poll.VoterID]bool{}
		for cursor, done := "", false; !done; done = cursor == "" {
			var taken []poll.Entry
			var err error
			if taken, cursor, err = workers[0].TakeOver(t.Context(), 1000, 0, cursor); err != nil {
				t.Fatal(err)
			}
			for _, entry := range append(taken, next(t, workers[0], 10_000)...) {
				if !entry.Gone {
					left[entry.Votes[0].Voter] = true
				}
			}
		}
		if !maps.Equal(left, unacknowledged) {
			t.Fatalf("seed %d: %d voters are in the queue, and not the %d that nobody acknowledged", seed, len(left), len(unacknowledged))
		}
	}
}

// acknowledgeSome acknowledges a run of the entries in a worker's hands and forgets most of them.
func acknowledgeSome(t *testing.T, random *rand.Rand, worker *redis.Backlog, hand *[]poll.Entry, unacknowledged map[poll.VoterID]bool) {
	t.Helper()
	if len(*hand) == 0 {
		return
	}
	from := random.IntN(len(*hand))
	to := from + 1 + random.IntN(len(*hand)-from)
	var ids []string
	for _, entry := range (*hand)[from:to] {
		ids = append(ids, entry.ID)
		delete(unacknowledged, entry.Votes[0].Voter)
	}
	if err := worker.Acknowledge(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	if random.IntN(5) > 0 { // otherwise they are acknowledged again later
		*hand = slices.Delete(*hand, from, to)
	}
}
