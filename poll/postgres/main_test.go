package postgres_test

import (
	"os"
	"strings"
	"testing"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// newDatabase is an empty database and its address.
func newDatabase(t testing.TB) (*postgrestest.Server, postgres.Address) {
	t.Helper()
	server := postgrestest.Shared(t)
	return server, addressOf(server, server.NewDatabase(t))
}

func addressOf(server *postgrestest.Server, database string) postgres.Address {
	return postgres.Address{Servers: []string{server.Address()}, User: "postgres", Database: database,
		Password: postgrestest.Password}
}

func newVotes(t testing.TB, address postgres.Address) *postgres.Votes {
	t.Helper()
	database, err := postgres.NewVotes(address, "test", 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(database.Close)
	return database
}

func newScoreboard(t testing.TB, address postgres.Address) *postgres.Scoreboard {
	t.Helper()
	scoreboard, err := postgres.NewScoreboard(address, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(scoreboard.Close)
	return scoreboard
}

func save(t testing.TB, database *postgres.Votes, wantChanged int64, votes ...poll.Vote) {
	t.Helper()
	changed, err := database.Save(t.Context(), votes)
	if err != nil {
		t.Fatal(err)
	}
	if changed != wantChanged {
		t.Errorf("%d voters changed, want %d", changed, wantChanged)
	}
}

// wantTally checks the tally, and that it is what counting every vote gives.
func wantTally(t testing.TB, server *postgrestest.Server, address postgres.Address, want poll.Tally) {
	t.Helper()
	got, err := newScoreboard(t, address).Tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the tally is %+v, want %+v", got, want)
	}
	var counted poll.Tally
	err = server.Connect(t, address.Database).QueryRow(t.Context(),
		"SELECT count(*) FILTER (WHERE choice = 'a'), count(*) FILTER (WHERE choice = 'b') FROM votes").
		Scan(&counted.A, &counted.B)
	if err != nil {
		t.Fatal(err)
	}
	if counted != got {
		t.Errorf("the tally is %+v, counting gives %+v", got, counted)
	}
}

func TestAddressHidesThePassword(t *testing.T) {
	address := postgres.Address{Servers: []string{"[::1]:5432", "pg:5432"}, User: "postgres", Database: "postgres", Password: "hush"}
	if got := address.String(); got != "postgres@[::1]:5432,pg:5432/postgres" || strings.Contains(got, "hush") {
		t.Errorf("the address is shown as %q", got)
	}
}
