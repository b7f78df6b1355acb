package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	"swarm-scale/poll"
	"swarm-scale/test/eventually"
	"swarm-scale/test/haproxytest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/voters"
)

// A frontend hangs before it has taken a vote. The voter gives up and votes differently through another frontend. When the
// first one resumes, the vote it has is older and must not count. Neither must one that the load balancer held for it.
func TestAbandonedVoteDoesNotOverrideLaterVote(t *testing.T) {
	t.Parallel()
	ways := map[string]func(testing.TB, *programtest.Program) *way{
		"directly": func(_ testing.TB, frontend *programtest.Program) *way {
			return &way{frontend.URL, func() error { return nil }}
		},
		"through the load balancer": startHAProxy,
	}
	for name, newWay := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testAbandonedVote(t, newWay)
		})
	}
}

// way is how voters reach a frontend.
type way struct {
	address string // base URL
	// dropped returns nil once nothing on the way holds an abandoned request.
	dropped func() error
}

func testAbandonedVote(t *testing.T, newWay func(testing.TB, *programtest.Program) *way) {
	s := newSystem(t)
	hanging, other := s.addFrontend(t), s.addFrontend(t)
	to := newWay(t, hanging)
	s.addResults(t)
	s.addWorker(t)
	var books voters.Books
	all := newVoters(t, &books, siteOf(hanging), 20)
	if err := hanging.Pause(); err != nil {
		t.Fatal(err)
	}
	for i, voter := range all {
		voter.Patience = 100 * time.Millisecond
		if answer := voter.Vote(t.Context(), voters.Site{URL: to.address}, poll.A); answer.Kind != voters.Unanswered {
			t.Fatalf("a frontend that hangs answered: %+v", answer)
		}
		if i%4 == 0 {
			continue // this voter does not vote again
		}
		voter.Patience = patience
		if err := voter.Vote(t.Context(), siteOf(other), poll.B).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually.Succeeds(t, patience, "abandoned requests are dropped", to.dropped)
	if err := hanging.Resume(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it takes the votes that came while it was paused
	last := newVoters(t, &books, siteOf(hanging), 1)[0]
	if err := last.Vote(t.Context(), siteOf(hanging), poll.A).Err(); err != nil {
		t.Fatal(err)
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, &books)
}

// startHAProxy starts HAProxy with the cluster's configuration in front of one frontend.
func startHAProxy(t testing.TB, frontend *programtest.Program) *way {
	t.Helper()
	balancer := haproxytest.Start(t, wayin.Options{
		Frontends: []wayin.Frontend{haproxytest.Frontend("frontend01", frontend.URL)},
		Limits:    wayin.Limits{ConnectionsPerAddress: 1000, VotesPerAddress: 1000, NewVotersPerAddress: 1000},
	})
	eventually.Succeeds(t, patience, "the load balancer answers", func() error {
		status, body, err := ask(t, balancer.URL)
		if err == nil && status != http.StatusOK {
			err = errors.New(body + balancer.Log.String())
		}
		return err
	})
	return &way{balancer.URL, func() error { return noSessions(balancer) }}
}

// noSessions returns nil if the load balancer, by its statistics, has no session with a frontend.
func noSessions(balancer *haproxytest.Balancer) error {
	row, err := balancer.Row("frontends", "BACKEND")
	if err == nil && (row["qcur"] != "0" || row["scur"] != "0") {
		err = fmt.Errorf("it has %s sessions and %s requests in its queue", row["scur"], row["qcur"])
	}
	return err
}
