package database_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/app/database"
	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/eventually"
)

// promised is how long writes may be away.
const promised = time.Minute

// writer stores votes without end, and keeps a book of those that the database has acknowledged.
type writer struct {
	votes *postgres.Votes
	mutex sync.Mutex
	book  map[poll.VoterID]poll.Choice
	last  time.Time     // when the latest acknowledged votes were sent
	away  time.Duration // the longest time between two acknowledgements
	at    time.Time     // the latest acknowledgement
	fault error
}

// writing starts writers, and ends them with the test. It returns once the first votes are stored.
func writing(t *testing.T, l *laboratory) (w *writer, end func()) {
	t.Helper()
	votes, err := postgres.NewVotes(l.address("vote_worker"), "test", 4)
	if err != nil {
		t.Fatal(err)
	}
	w = &writer{votes: votes, book: map[poll.VoterID]poll.Choice{}, at: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
				w.store(ctx)
			}
		})
	}
	end = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		votes.Close()
	})
	t.Cleanup(end)
	w.storesSince(t, l, time.Now(), patience)
	return w, end
}

// store stores some votes of new voters.
func (w *writer) store(ctx context.Context) {
	var some []poll.Vote
	for i := range 5 {
		choice := poll.A
		if i%2 == 1 {
			choice = poll.B
		}
		some = append(some, poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())})
	}
	sent := time.Now()
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := w.votes.Save(limited, some)
	w.mutex.Lock()
	if err == nil {
		for _, vote := range some {
			w.book[vote.Voter] = vote.Choice
		}
		w.last = sent
		w.away, w.at = max(w.away, time.Since(w.at)), time.Now()
	} else {
		w.fault = err
	}
	w.mutex.Unlock()
	time.Sleep(20 * time.Millisecond)
}

// storesSince waits until votes are acknowledged that were sent after a moment.
func (w *writer) storesSince(t *testing.T, l *laboratory, moment time.Time, within time.Duration) {
	t.Helper()
	took, err := eventually.Wait(t.Context(), within, func() error {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if w.last.After(moment) {
			return nil
		}
		if w.fault == nil {
			return context.DeadlineExceeded
		}
		return w.fault
	})
	if err != nil {
		for _, name := range l.names() {
			t.Logf("%s:\n%s", name, l.log(name))
		}
		t.Fatalf("votes are not stored %s after: %v", within, err)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	t.Logf("votes are stored %s after; %s without an acknowledgement; %d are in the book", took.Round(time.Millisecond), w.away.Round(time.Millisecond), len(w.book))
	w.away = 0
}

// TestNoVoteIsLost begins with a server of the stock image, whose votes two stores take over. Then machines vanish with their disks, hang and
// lose each other. Each time votes are stored again, by themselves unless more was lost than one machine, and in the end every vote that was
// acknowledged is there once.
func TestNoVoteIsLost(t *testing.T) {
	l := newLaboratory(t, "pg", "pg02")
	l.startStock("pg")
	eventually.Succeeds(t, patience, "the stock server answers", func() error {
		_, err := l.in("pg", "", "pg_isready", "--host", "127.0.0.1", "--username", "postgres")
		return err
	})
	l.setRoles("pg", []string{"roles.sql"}, "psql", "--username", "postgres", "--dbname", "postgres")
	w, end := writing(t, l)

	l.etcdBegins()
	l.start("pg02") // it waits: it must not begin an empty database
	l.docker("stop", "--time", "30", l.container("pg"))
	l.docker("rm", l.container("pg"))
	l.start("pg")
	moment := time.Now()
	l.setRoles("pg", []string{"stores.sql", "roles.sql"}, database.PrimaryProgram)
	w.storesSince(t, l, moment, patience)
	primary, standby := l.storesAreWhole()

	for _, event := range []struct {
		name    string
		happens func() (back func())
	}{
		{"the primary vanishes with its disk", func() func() {
			l.lose(primary)
			return func() { l.start(primary) }
		}},
		{"the primary hangs for 25 s", func() func() {
			l.docker("pause", l.container(primary))
			time.Sleep(25 * time.Second)
			l.docker("unpause", l.container(primary))
			return nil
		}},
		{"the member of etcd that began it vanishes with its disk", func() func() {
			l.lose("etcd01")
			return func() { l.start("etcd01") }
		}},
		{"the standby vanishes with its disk", func() func() {
			l.lose(standby)
			return func() { l.start(standby) }
		}},
		{"etcd has no majority for 25 s", func() func() {
			l.docker("pause", l.container("etcd01"), l.container("etcd02"))
			time.Sleep(25 * time.Second)
			l.docker("unpause", l.container("etcd01"), l.container("etcd02"))
			return nil
		}},
		{"all lose power", func() func() {
			var all []string
			for _, name := range l.names() {
				all = append(all, l.container(name))
			}
			l.docker(append([]string{"kill"}, all...)...)
			l.docker(append([]string{"start"}, all...)...)
			return nil
		}},
		// By hand, as docs/operations.md says.
		{"two members of etcd vanish with their disks, and the third one goes on alone", func() func() {
			l.lose("etcd01")
			l.lose("etcd03")
			l.docker("exec", l.container("etcd02"), "touch", database.EtcdData+"/alone")
			l.docker("restart", l.container("etcd02"))
			return func() {
				l.start("etcd01")
				l.start("etcd03")
			}
		}},
		{"all of etcd and the primary vanish with their disks, and the standby begins", func() func() {
			for _, name := range append([]string{primary}, l.database.Etcd...) {
				l.lose(name)
			}
			for _, name := range l.database.Etcd {
				l.start(name)
			}
			l.docker("exec", l.container("etcd01"), database.FoundProgram, standby)
			l.agree()
			l.docker("restart", l.container(standby)) // Patroni takes no orders of an etcd that is younger than the one it knew
			return func() { l.start(primary) }
		}},
	} {
		t.Logf("%s (%s takes writes)", event.name, primary)
		begun := time.Now()
		back := event.happens()
		moment := time.Now()
		w.storesSince(t, l, moment, promised)
		if back != nil {
			back()
		}
		l.etcdIsWhole()
		primary, standby = l.storesAreWhole()
		t.Logf("whole again after %s", time.Since(begun).Round(time.Second))
	}
	end()
	l.hasAll(w)
}

// TestThreeStoresNeverStoreOnce holds that with three stores a vote is never stored in one place only: when one is lost, the others go on, and when
// two are, votes wait until one of them is back.
func TestThreeStoresNeverStoreOnce(t *testing.T) {
	l := newLaboratory(t, "pg", "pg02", "pg03")
	for _, store := range l.database.Stores {
		l.start(store)
	}
	l.etcdBegins()
	l.setRoles("pg", []string{"stores.sql", "roles.sql"}, database.PrimaryProgram)
	primary, _ := l.storesAreWhole()
	w, end := writing(t, l)

	l.lose(primary)
	w.storesSince(t, l, time.Now(), promised)
	l.start(primary)
	primary, first := l.storesAreWhole()
	t.Logf("now %s takes writes", primary)

	for _, store := range l.database.Stores {
		if store != primary {
			l.docker("kill", l.container(store))
		}
	}
	time.Sleep(5 * time.Second)
	alone := time.Now()
	time.Sleep(30 * time.Second)
	w.mutex.Lock()
	if w.last.After(alone) {
		t.Error("votes are stored although one store alone is left")
	}
	w.mutex.Unlock()
	l.docker("start", l.container(first))
	w.storesSince(t, l, time.Now(), promised)
	for _, store := range l.database.Stores {
		l.docker("start", l.container(store))
	}
	l.storesAreWhole()
	end()
	l.hasAll(w)
}

// TestEmptyDatabaseBegins holds that stores without any data begin a database, once, and that a store which is killed meanwhile goes on.
func TestEmptyDatabaseBegins(t *testing.T) {
	l := newLaboratory(t, "pg", "pg02")
	l.start("pg02")
	l.start("pg")
	l.etcdBegins()
	eventually.Succeeds(t, patience, "the database is being made", func() error {
		_, err := l.in("pg", "", "test", "-e", dataPath+"/PG_VERSION")
		return err
	})
	l.docker("kill", l.container("pg"))
	l.docker("start", l.container("pg"))
	l.setRoles("pg02", []string{"stores.sql", "roles.sql"}, database.PrimaryProgram)
	l.storesAreWhole()
	w, end := writing(t, l)
	said, err := l.in("etcd01", "", database.FoundProgram, "pg02") // an interrupted deployment does it again
	if err != nil || !strings.Contains(said, "there is an etcd, whose database pg began") {
		t.Errorf("the second founding: %v\n%s", err, said)
	}
	w.storesSince(t, l, time.Now(), promised)
	end()
	l.hasAll(w)
}

// hasAll holds that the database has every vote in the book, once, and that the tally is of all votes.
func (l *laboratory) hasAll(w *writer) {
	t := l.t
	scoreboard, err := postgres.NewScoreboard(l.address("results_app"), "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer scoreboard.Close()
	tally, err := scoreboard.Tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, store := range l.database.Stores {
		hosts = append(hosts, l.addresses[store])
	}
	config, err := pgx.ParseConfig("sslmode=disable target_session_attrs=read-write host=" + strings.Join(hosts, ",") + " port=5432 user=vote_worker dbname=postgres password=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.Background()) }()
	rows, err := connection.Query(t.Context(), "SELECT replace(voter::text, '-', ''), choice::text FROM votes")
	if err != nil {
		t.Fatal(err)
	}
	stored, counted := map[string]int{}, poll.Tally{}
	var voter, choice string
	if _, err := pgx.ForEachRow(rows, []any{&voter, &choice}, func() error {
		stored[voter]++
		if choice == "a" {
			counted.A++
		} else {
			counted.B++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for voter := range w.book {
		if stored[voter.String()] != 1 {
			lost++
		}
	}
	t.Logf("%d votes were acknowledged, %d are stored", len(w.book), len(stored))
	if lost > 0 || counted != tally {
		t.Errorf("%d acknowledged votes are not there once; the tally is %+v, and the votes are %+v", lost, tally, counted)
	}
}
