package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/eventually"
	"swarm-scale/test/programtest"
	"swarm-scale/test/voters"
)

// crashSite is a worker behind two gates, one to Redis and one to the database. They stop the worker between any two of its
// steps, so that it can be killed there.
type crashSite struct {
	*system
	worker     *programtest.Program
	toRedis    *gate
	toDatabase *gate
	byHand     *pgx.Conn // for the test's own queries
	books      voters.Books
	voters     []*voters.Voter
	before     map[poll.VoterID]poll.Choice // what was stored before the current step
}

func newCrashSite(t *testing.T) *crashSite {
	t.Helper()
	w := &crashSite{system: newSystem(t)}
	w.addFrontend(t)
	w.addResults(t)
	w.byHand = w.connect(t)
	w.toRedis = newGate(t, w.redis[0].Address)
	w.toDatabase = newGate(t, "127.0.0.1:"+strconv.Itoa(w.postgres.Port))
	_, port, _ := strings.Cut(w.toDatabase.address, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	w.worker = w.addWorkerAt(t, number, w.toRedis.address)
	w.waitUntilReady(t)
	return w
}

func (w *crashSite) waitUntilReady(t *testing.T) {
	t.Helper()
	eventually.Succeeds(t, patience, "the worker is ready", func() error {
		return ready(t, w.worker)
	})
}

// ready returns nil if the program's /readyz says that it is ready.
func ready(t testing.TB, program *programtest.Program) error {
	t.Helper()
	status, body, err := ask(t, program.URL+"/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}

// newcomers is how many new voters cast has vote.
const newcomers = 12

// cast has newcomers vote, and all earlier ones change their votes.
func (w *crashSite) cast(t *testing.T) {
	t.Helper()
	site := siteOf(w.frontends[0])
	w.voters = append(w.voters, newVoters(t, &w.books, site, newcomers)...)
	random := rand.New(rand.NewPCG(1, 2))
	var group sync.WaitGroup
	for _, voter := range w.voters {
		choice := voter.OtherChoice(random) // so that each batch shows in what is stored
		group.Go(func() {
			if err := voter.Vote(t.Context(), site, choice).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// lockTally locks the tally until unlock is called. A worker that has written votes then waits for it before the commit.
func (w *crashSite) lockTally(t *testing.T) (unlock func()) {
	t.Helper()
	lock, err := w.byHand.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "LOCK TABLE tally IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := lock.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// waitUntilWritten waits until the worker has written votes and waits for the tally.
func (w *crashSite) waitUntilWritten(t *testing.T) {
	t.Helper()
	eye := w.connect(t)
	eventually.Succeeds(t, patience, "the worker has written and waits for the tally", func() error {
		var waiting int
		err := eye.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'tally'::regclass").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("it does not wait for a lock")
		}
		return err
	})
}

// waitUntilCommitted waits until the stored votes differ from those before.
func (w *crashSite) waitUntilCommitted(t *testing.T) {
	t.Helper()
	eventually.Succeeds(t, patience, "votes are committed", func() error {
		if maps.Equal(w.stored(t), w.before) {
			return errors.New("nothing has changed yet")
		}
		return nil
	})
}

// pending is how many entries workers have read and not acknowledged.
func (w *crashSite) pending(t *testing.T) int {
	t.Helper()
	answer := w.redis[0].Do(t, "EVAL", "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "1", redis.Stream, redis.Group)
	n, err := strconv.Atoi(strings.TrimPrefix(answer, ":"))
	if err != nil {
		t.Fatalf("XPENDING was answered with %q, want a number", answer)
	}
	return n
}

// The worker is killed between each two of its steps in turn and started again. Every vote counts once.
func TestVotesCountOnceAfterWorkerCrash(t *testing.T) {
	t.Parallel()
	w := newCrashSite(t)
	points := []struct {
		name string
		// reach brings the worker to the point. After the kill, after is called.
		reach func(t *testing.T) (after func())
		// stored is whether votes are stored at the point, and queued whether all are still in the queue.
		stored, queued bool
	}{
		{"after reading", func(t *testing.T) func() {
			w.toDatabase.hold(toServer)
			w.cast(t)
			eventually.Succeeds(t, patience, "the worker has read votes and is about to write them", func() error {
				if w.pending(t) == 0 || !w.toDatabase.holds(toServer, "votes") {
					return fmt.Errorf("%d entries are pending", w.pending(t))
				}
				return nil
			})
			return func() {}
		}, false, true},
		{"after writing", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t)
			w.waitUntilWritten(t)
			return unlock
		}, false, true},
		{"after the commit, before its confirmation", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t)
			w.waitUntilWritten(t)
			w.toDatabase.hold(toClient)
			unlock()
			w.waitUntilCommitted(t)
			return func() {}
		}, true, true},
		{"before acknowledging", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t)
			w.waitUntilWritten(t)
			w.toRedis.hold(toServer)
			unlock()
			w.waitUntilCommitted(t)
			eventually.Succeeds(t, patience, "the worker is about to acknowledge", func() error {
				if !w.toRedis.holds(toServer, "EVALSHA") && !w.toRedis.holds(toServer, "XACK") {
					return errors.New("it has sent no acknowledgement")
				}
				return nil
			})
			return func() {}
		}, true, true},
		{"after acknowledging, before its confirmation", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t)
			w.waitUntilWritten(t)
			w.toRedis.hold(toClient)
			unlock()
			eventually.Succeeds(t, patience, "entries are acknowledged", func() error {
				if left, err := w.queued(); err != nil || left == len(w.voters) {
					return fmt.Errorf("%d votes are queued (%w)", left, err)
				}
				return nil
			})
			return func() {}
		}, true, false},
	}
	for _, point := range points {
		t.Run(point.name, func(t *testing.T) {
			w.before = w.stored(t)
			after := point.reach(t)
			w.worker.Kill()
			if got := !maps.Equal(w.stored(t), w.before); got != point.stored {
				t.Errorf("votes are stored at this point: %v, want %v", got, point.stored)
			}
			if left, err := w.queued(); err != nil || point.queued && left != len(w.voters) {
				t.Errorf("%d votes are queued at this point (%v), want all %d", left, err, len(w.voters))
			}
			w.toRedis.reset()
			w.toDatabase.reset()
			after()
			w.worker.Launch(t)
			w.waitUntilDrained(t)
			if counted := w.checkBooks(t, &w.books); counted.Total() != int64(len(w.voters)) {
				t.Errorf("%d voters are counted, want %d", counted.Total(), len(w.voters))
			}
		})
	}
}
