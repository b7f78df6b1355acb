package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/test/postgrestest"
)

// The workers' role owns its tables and is no superuser; the results page's role may only select.
func TestRightsThatTheProgramsNeed(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	hand := server.Connect(t, address.Database)
	writer, reader := "writer_"+address.Database, "reader_"+address.Database
	for _, statement := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", writer, postgrestest.Password),
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", reader, postgrestest.Password),
		fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", address.Database, writer),
	} {
		if _, err := hand.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	writing, reading := address, address
	writing.User, reading.User = writer, reader
	database := newVotes(t, writing)
	save(t, database, 3, votesOf(0, 3, poll.A)...)
	if err := database.Record(t.Context(), []poll.Progress{{Queue: "redis01", Known: true, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if _, after, err := database.Recount(t.Context()); err != nil || after != (poll.Tally{A: 3}) {
		t.Errorf("the recount gives %+v (%v)", after, err)
	}
	if _, err := hand.Exec(t.Context(), "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+reader); err != nil {
		t.Fatal(err)
	}
	standing, err := newScoreboard(t, reading).Standing(t.Context())
	if err != nil || standing.Tally.A != 3 || !standing.Known || standing.Queue != "redis01" {
		t.Errorf("the reader sees %+v (%v)", standing, err)
	}
	if _, err := newVotes(t, reading).Save(t.Context(), votesOf(9, 1, poll.B)); err == nil {
		t.Error("the reader stores a vote")
	}
}

// A note that is in the future, from a restore or another clock, does not hide that a queue falls behind.
func TestProgressFromTheFuture(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	prepare(t, address)
	_, err := server.Connect(t, address.Database).Exec(t.Context(), "INSERT INTO drained_queues VALUES ('redis01', now() + interval '1 day')")
	if err != nil {
		t.Fatal(err)
	}
	// Nobody records it, and another queue is noted all the time.
	if err := database.Record(t.Context(), []poll.Progress{{Queue: "redis02", Known: true, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if standing, err := newScoreboard(t, address).Standing(t.Context()); err != nil || standing.Known || standing.Queue != "redis01" {
		t.Errorf("the standing is %+v (%v), want it unknown", standing, err)
	}
	for range 2 {
		if err := database.Record(t.Context(), []poll.Progress{{Queue: "redis01", Known: true, At: time.Now(), Behind: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if standing, err := newScoreboard(t, address).Standing(t.Context()); err != nil || !standing.Known || standing.Behind <= 0 {
		t.Errorf("the standing is %+v (%v), want it behind", standing, err)
	}
}
