package postgres_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/postgrestest"
)

// Ways to dump a database with the client programs of PostgreSQL, and to restore the dump.
var restores = map[string]struct {
	dump    []string
	restore []string // nil: by psql
}{
	"plain":                              {dump: nil},
	"plain, one transaction a row":       {dump: []string{"--inserts"}},
	"plain, data only":                   {dump: []string{"--data-only"}},
	"plain, data only, no triggers":      {dump: []string{"--data-only", "--disable-triggers"}},
	"plain, clean":                       {dump: []string{"--clean", "--if-exists"}},
	"plain, votes alone":                 {dump: []string{"--table=votes"}},
	"plain, votes alone, data only":      {dump: []string{"--table=votes", "--data-only"}},
	"plain, votes alone, clean":          {dump: []string{"--table=votes", "--clean", "--if-exists"}},
	"plain, tally alone, clean":          {dump: []string{"--table=tally", "--clean", "--if-exists"}},
	"plain, without the tally":           {dump: []string{"--exclude-table-data=tally"}},
	"plain, without the votes":           {dump: []string{"--exclude-table-data=votes"}},
	"custom":                             {[]string{"--format=custom"}, []string{}},
	"custom, clean":                      {[]string{"--format=custom"}, []string{"--clean", "--if-exists"}},
	"custom, data only":                  {[]string{"--format=custom"}, []string{"--data-only"}},
	"custom, data only, no triggers":     {[]string{"--format=custom"}, []string{"--data-only", "--disable-triggers"}},
	"custom, data only, one transaction": {[]string{"--format=custom"}, []string{"--data-only", "--single-transaction"}},
	"custom, data only, two jobs":        {[]string{"--format=custom"}, []string{"--data-only", "--jobs=2"}},
	"custom, all but data":               {[]string{"--format=custom"}, []string{"--schema-only"}},
	"custom, data before the triggers":   {[]string{"--format=custom"}, []string{"--section=pre-data", "--section=data"}},
}

// representative are the ways that are tried with every target.
var representative = []string{"plain", "plain, data only, no triggers", "plain, votes alone", "custom, clean", "custom, data only",
	"custom, data before the triggers", "plain, votes alone, clean", "plain, tally alone, clean", "plain, without the tally",
	"plain, without the votes"}

const aWorkersDatabase = "a database that a worker has set up"

// What a dump is restored into.
var targets = map[string]func(t *testing.T, address postgres.Address){
	"an empty database": func(*testing.T, postgres.Address) {},
	aWorkersDatabase:    func(t *testing.T, address postgres.Address) { prepare(t, address) },
	"a database with other votes": func(t *testing.T, address postgres.Address) {
		save(t, newVotes(t, address), 3, votesOf(900, 2, poll.A)[0], votesOf(901, 1, poll.A)[0], votesOf(902, 1, poll.B)[0])
	},
	"a database with one of the votes": func(t *testing.T, address postgres.Address) {
		save(t, newVotes(t, address), 1, votesOf(5, 1, poll.B)...)
	},
}

func prepare(t testing.TB, address postgres.Address) {
	t.Helper()
	if err := newVotes(t, address).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// votesOf are the votes of so many voters, from the first on.
func votesOf(first, voters int, choice poll.Choice) []poll.Vote {
	votes := make([]poll.Vote, voters)
	for i := range votes {
		votes[i] = poll.Vote{Voter: voter(first + i), Choice: choice, CastAt: poll.Timestamp(1 + i)}
	}
	return votes
}

// Whatever is restored and wherever: once a worker looks, the tally says what the votes say, and goes on doing so.
func TestTallyIsThatOfTheVotesAfterARestore(t *testing.T) {
	t.Parallel()
	server, source := newDatabase(t)
	database := newVotes(t, source)
	save(t, database, 12, votesOf(0, 12, poll.A)...)
	save(t, database, 7, votesOf(100, 7, poll.B)...)
	save(t, database, 1, poll.Vote{Voter: voter(0), Choice: poll.B, CastAt: 100})
	wantTally(t, server, source, poll.Tally{A: 11, B: 8})
	for name, way := range restores {
		dump := filepath.Join(t.TempDir(), "dump")
		server.Run(t, "pg_dump", append([]string{"--dbname", source.Database, "--file", dump}, way.dump...)...)
		for where, make := range targets {
			if where != aWorkersDatabase && !slices.Contains(representative, name) {
				continue // each takes a second or two
			}
			t.Run(name+", into "+where, func(t *testing.T) {
				t.Parallel()
				target := addressOf(server, server.NewDatabase(t))
				make(t, target)
				// A dump that meets what is there already is restored with errors.
				if way.restore == nil {
					server.TryRun(t, "psql", "--quiet", "--dbname", target.Database, "--file", dump)
				} else {
					server.TryRun(t, "pg_restore", append([]string{"--dbname", target.Database, dump}, way.restore...)...)
				}
				prepare(t, target)
				wantTallyOfVotes(t, server, target)
				save(t, newVotes(t, target), 2, votesOf(500, 2, poll.A)...)
				wantTallyOfVotes(t, server, target)
			})
		}
	}
}

// A restore into a database that a worker has set up brings the votes back, and needs no worker for the tally.
func TestRestoreIntoTablesOfAWorkerBringsTheVotes(t *testing.T) {
	t.Parallel()
	server, source := newDatabase(t)
	save(t, newVotes(t, source), 824, votesOf(0, 824, poll.A)...)
	for name, options := range map[string][]string{"all": nil, "data only": {"--data-only"}} {
		target := addressOf(server, server.NewDatabase(t))
		prepare(t, target)
		dump := filepath.Join(t.TempDir(), "dump")
		server.Run(t, "pg_dump", append([]string{"--dbname", source.Database, "--file", dump}, options...)...)
		server.TryRun(t, "psql", "--quiet", "--dbname", target.Database, "--file", dump)
		t.Log(name)
		wantTally(t, server, target, poll.Tally{A: 824})
	}
}

// The votes move to a database that somebody else keeps, whose owner is no superuser (docs/operations.md).
func TestVotesMoveToAnotherOwner(t *testing.T) {
	t.Parallel()
	server, source := newDatabase(t)
	votes := newVotes(t, source)
	save(t, votes, 824, votesOf(0, 824, poll.A)...)
	if err := votes.Record(t.Context(), []poll.Progress{{Queue: "redis01", Known: true, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(t.TempDir(), "votes.sql")
	server.Run(t, "pg_dump", "--dbname", source.Database, "--clean", "--if-exists", "--no-owner", "--no-privileges", "--file", dump)
	for name, preparing := range map[string]bool{"an empty database": false, aWorkersDatabase: true} {
		t.Run(name, func(t *testing.T) {
			target := addressOf(server, server.NewDatabase(t))
			owner := "owner_of_" + target.Database
			hand := server.Connect(t, "postgres")
			for _, statement := range []string{
				fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", owner, postgrestest.Password),
				fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", target.Database, owner),
			} {
				if _, err := hand.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			target.User = owner
			if preparing {
				prepare(t, target)
			}
			server.Run(t, "psql", "--quiet", "--username", owner, "--dbname", target.Database, "--set", "ON_ERROR_STOP=1", "--file", dump)
			prepare(t, target)
			wantTally(t, server, target, poll.Tally{A: 824})
			save(t, newVotes(t, target), 1, votesOf(900, 1, poll.B)...)
			wantTally(t, server, target, poll.Tally{A: 824, B: 1})
		})
	}
}

// A restore that broke off before the keys, and the whole one after it, leave every row twice and no key. The voters' latest votes stay.
func TestRestoreThatBrokeOffIsRepeated(t *testing.T) {
	t.Parallel()
	server, source := newDatabase(t)
	database := newVotes(t, source)
	save(t, database, 5, votesOf(0, 5, poll.A)...)
	if err := database.KeepDeadLetters(t.Context(), []poll.DeadLetter{{Queue: "redis01", ID: "1-1"}}); err != nil {
		t.Fatal(err)
	}
	if err := database.Record(t.Context(), []poll.Progress{{Queue: "redis01", Known: true, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	dump := func(name string) string {
		file := filepath.Join(t.TempDir(), name)
		server.Run(t, "pg_dump", "--dbname", source.Database, "--file", file)
		return file
	}
	earlier := dump("earlier")
	save(t, database, 1, poll.Vote{Voter: voter(1), Choice: poll.B, CastAt: 100})
	later := dump("later")
	for name, order := range map[string][2]string{"the same twice": {later, later}, "the later one broke off": {later, earlier},
		"the earlier one broke off": {earlier, later}} {
		t.Run(name, func(t *testing.T) {
			whole, err := os.ReadFile(order[0])
			if err != nil {
				t.Fatal(err)
			}
			head, _, found := bytes.Cut(whole, []byte("ADD CONSTRAINT"))
			if !found {
				t.Fatal("the dump adds no constraint")
			}
			part := filepath.Join(t.TempDir(), "part")
			if err := os.WriteFile(part, head, 0o600); err != nil {
				t.Fatal(err)
			}
			target := addressOf(server, server.NewDatabase(t))
			server.TryRun(t, "psql", "--quiet", "--dbname", target.Database, "--file", part)
			server.TryRun(t, "psql", "--quiet", "--dbname", target.Database, "--file", order[1])
			prepare(t, target)
			wantTally(t, server, target, poll.Tally{A: 4, B: 1})
			save(t, newVotes(t, target), 1, poll.Vote{Voter: voter(2), Choice: poll.B, CastAt: 200})
			wantTally(t, server, target, poll.Tally{A: 3, B: 2})
		})
	}
}

// A worker that finds all in order leaves it alone. A database that an earlier version has set up is taken over, once.
func TestSchemaIsSetUpOnce(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	save(t, newVotes(t, address), 3, votesOf(0, 3, poll.A)...)
	hand := server.Connect(t, address.Database)
	noted := func() (row string) {
		t.Helper()
		if err := hand.QueryRow(t.Context(), "SELECT format('%s %s %s', xmin, ctid, version) FROM poll_schema").Scan(&row); err != nil {
			t.Fatal(err)
		}
		return row
	}
	first := noted()
	for _, statement := range []string{"SELECT", "VACUUM (FREEZE) poll_schema", "VACUUM (FULL, FREEZE) poll_schema"} {
		if _, err := hand.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if prepare(t, address); noted() != first {
			t.Errorf("after %s, the schema was set up again: from %s to %s", statement, first, noted())
		}
	}
	if _, err := hand.Exec(t.Context(), "UPDATE poll_schema SET version = left(version, 16)"); err != nil { // as it was noted once
		t.Fatal(err)
	}
	before := noted()
	prepare(t, address)
	after := noted()
	if prepare(t, address); before == after || noted() != after {
		t.Errorf("an earlier version's row %s became %s, then %s", before, after, noted())
	}
	wantTally(t, server, address, poll.Tally{A: 3})
}

// The tables need not be in the schema public.
func TestTallyFollowsInAnotherSchema(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	hand := server.Connect(t, address.Database)
	for _, statement := range []string{`CREATE SCHEMA "The poll"`,
		fmt.Sprintf(`ALTER DATABASE %s SET search_path TO "The poll", public`, address.Database)} {
		if _, err := hand.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	save(t, newVotes(t, address), 3, votesOf(0, 3, poll.A)...)
	// As a restore does.
	if _, err := hand.Exec(t.Context(), `SET search_path TO ''; DELETE FROM "The poll".votes WHERE cast_at = to_timestamp(0.000001)`); err != nil {
		t.Fatal(err)
	}
	if tally, err := newScoreboard(t, address).Tally(t.Context()); err != nil || tally != (poll.Tally{A: 2}) {
		t.Errorf("the tally is %+v (%v), want 2 votes", tally, err)
	}
}

// Nobody makes the tally say what the votes do not say, short of switching triggers off; then a recount mends it.
func TestTallyThatIsWrittenByHand(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	save(t, database, 10, votesOf(0, 10, poll.A)...)
	want := poll.Tally{A: 10}
	for _, statement := range []string{
		"DELETE FROM tally", "TRUNCATE tally", "UPDATE tally SET votes = 1000", "INSERT INTO tally VALUES (77, 'b', 1000)",
		"DELETE FROM tally WHERE votes > 1000",
		"SET session_replication_role = replica; INSERT INTO tally VALUES (78, 'a', 5); DELETE FROM votes WHERE voter = '" + voterText(9) + "'",
	} {
		if _, err := server.Connect(t, address.Database).Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if statement[:3] == "SET" {
			want.A = 9
		}
		t.Log(statement)
		wantTally(t, server, address, want)
	}
	hand := server.Connect(t, address.Database)
	for _, statement := range []string{"ALTER TABLE tally DISABLE TRIGGER ALL; UPDATE tally SET votes = votes + 100 WHERE votes > 0; ALTER TABLE tally ENABLE ALWAYS TRIGGER tally_ignored; ALTER TABLE tally ENABLE ALWAYS TRIGGER tally_recounted"} {
		if _, err := hand.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	before, after, err := database.Recount(t.Context())
	if err != nil || before.A <= 9 || after != want {
		t.Errorf("the recount went from %+v to %+v (%v), want %+v", before, after, err, want)
	}
	wantTally(t, server, address, want)
	if before, after, err = database.Recount(t.Context()); err != nil || before != want || after != want {
		t.Errorf("the second recount went from %+v to %+v (%v), want no change", before, after, err)
	}
}

// Votes that are stored during recounts are counted.
func TestRecountBesideWorkers(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database := newVotes(t, address)
	stored := make(chan error, 1)
	go func() {
		for n := range 40 {
			if _, err := database.Save(t.Context(), votesOf(1000*n, 100+n%2*600, poll.Choices()[n%2])); err != nil {
				stored <- err
				return
			}
		}
		stored <- nil
	}()
	other := newVotes(t, address)
	for recounts := 0; ; recounts++ {
		select {
		case err := <-stored:
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d recounts", recounts)
			wantTally(t, server, address, poll.Tally{A: 20 * 100, B: 20 * 700})
			return
		default:
			if _, _, err := other.Recount(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A recount and a worker that sets up the schema do not wait for each other.
func TestRecountBesideSetUp(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	database, other := newVotes(t, address), newVotes(t, address)
	if err := database.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := server.Connect(t, address.Database).Exec(t.Context(), "DELETE FROM poll_schema"); err != nil {
			t.Fatal(err)
		}
		prepared := make(chan error, 1)
		go func() { prepared <- database.Prepare(t.Context()) }()
		if _, _, err := other.Recount(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-prepared; err != nil {
			t.Fatal(err)
		}
	}
}

func voterText(n int) string { return fmt.Sprintf("%x", [16]byte(voter(n))) }

// wantTallyOfVotes checks that the tally is what counting every vote gives.
func wantTallyOfVotes(t *testing.T, server *postgrestest.Server, address postgres.Address) {
	t.Helper()
	var counted poll.Tally
	err := server.Connect(t, address.Database).QueryRow(t.Context(),
		"SELECT count(*) FILTER (WHERE choice = 'a'), count(*) FILTER (WHERE choice = 'b') FROM votes").Scan(&counted.A, &counted.B)
	if err != nil {
		t.Fatal(err)
	}
	if tally, err := newScoreboard(t, address).Tally(t.Context()); err != nil || tally != counted {
		t.Errorf("the tally is %+v (%v), counting gives %+v", tally, err, counted)
	}
}
