package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
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

// Where each vote is in two queues, one of them may be away, and the tally is complete all the same.
func TestOneOfTwoCopiesMayBeAway(t *testing.T) {
	t.Parallel()
	_, address := newDatabase(t)
	database := newVotes(t, address)
	twice, err := postgres.NewScoreboard(address, "test", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(twice.Close)
	once := newScoreboard(t, address)
	for _, step := range []struct {
		name       string
		progress   []poll.Progress
		once, both string // the queue that the tally waits for; empty: none
	}{
		{"no queue", nil, "", ""},
		{"one that is away", []poll.Progress{{Queue: "redis01", InUse: true}}, "redis01", "redis01"},
		{"another one", []poll.Progress{{Queue: "redis02", Known: true, At: time.Now()}}, "redis01", "redis02"},
		{"a third one that is behind", []poll.Progress{{Queue: "redis03", Known: true, At: time.Now(), Behind: time.Hour, InUse: true}}, "redis01", "redis03"},
	} {
		if err := database.Record(t.Context(), step.progress); err != nil {
			t.Fatal(err)
		}
		for scoreboard, want := range map[*postgres.Scoreboard]string{once: step.once, twice: step.both} {
			if standing, err := scoreboard.Standing(t.Context()); err != nil || standing.Queue != want {
				t.Errorf("%s: the tally waits for %q (%v), want %q", step.name, standing.Queue, err, want)
			}
		}
	}
	if standing, err := twice.Standing(t.Context()); err != nil || !standing.Known || standing.Behind < 59*time.Minute {
		t.Errorf("the standing is %+v (%v), want it an hour behind", standing, err)
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
