package chaos

import (
	"errors"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/postgrestest"
)

// A frontend hangs with a vote in its hands. The voter gives up and votes otherwise through another one. When the first goes
// on, what it has is older, and must not count.
func TestVoteThatWasGivenUp(t *testing.T) {
	s := &system{postgres: postgrestest.Start(t)}
	hanging, other := s.addFrontend(t), s.addFrontend(t)
	s.addResults(t)
	s.addWorker(t)
	var voters []*voter
	for range 20 {
		v, err := newVoter(t.Context(), newClient(patience), hanging.URL)
		if err != nil {
			t.Fatal(err)
		}
		voters = append(voters, v)
	}
	if err := hanging.Pause(); err != nil {
		t.Fatal(err)
	}
	for i, v := range voters {
		impatient := newClient(100 * time.Millisecond)
		if err := v.vote(t.Context(), impatient, hanging.URL, poll.A); !errors.Is(err, errUncertain) {
			t.Fatalf("a frontend that hangs answered: %v", err)
		}
		impatient.CloseIdleConnections()
		if i%4 == 0 {
			continue // this voter leaves it at that
		}
		if err := v.vote(t.Context(), newClient(patience), other.URL, poll.B); err != nil {
			t.Fatal(err)
		}
	}
	if err := hanging.Resume(); err != nil {
		t.Fatal(err)
	}
	// It answers in the order of arrival, or nearly: when it answers this one, it has seen the others.
	time.Sleep(500 * time.Millisecond)
	last, err := newVoter(t.Context(), newClient(patience), hanging.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := last.vote(t.Context(), newClient(patience), hanging.URL, poll.A); err != nil {
		t.Fatal(err)
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, append(voters, last))
}
