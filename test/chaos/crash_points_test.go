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

// worksite is a worker with a gate before its Redis and one before its database, so that it can be killed between any two
// of its steps.
type worksite struct {
	*system
	worker  *programtest.Program
	queue   *gate
	gateway *gate // before the database
	byHand  *pgx.Conn
	books   voters.Books
	voters  []*voters.Voter
	before  map[poll.VoterID]poll.Choice // what was stored before
}

func newWorksite(t *testing.T) *worksite {
	t.Helper()
	w := &worksite{system: newSystem(t)}
	w.addFrontend(t)
	w.addResults(t)
	w.byHand = w.connect(t)
	w.queue = newGate(t, w.redis[0].Address)
	w.gateway = newGate(t, "127.0.0.1:"+strconv.Itoa(w.postgres.Port))
	_, port, _ := strings.Cut(w.gateway.address, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	w.worker = w.addWorkerAt(t, number, w.queue.address)
	w.waitUntilReady(t)
	return w
}

func (w *worksite) waitUntilReady(t *testing.T) {
	t.Helper()
	eventually.Succeeds(t, patience, "the worker is ready", func() error {
		return ready(t, w.worker)
	})
}

// ready returns nil if the program says that it is.
func ready(t testing.TB, program *programtest.Program) error {
	t.Helper()
	status, body, err := ask(t, program.URL+"/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}

// cast has so many new voters vote, and those who came before change their minds.
func (w *worksite) cast(t *testing.T, newcomers int) {
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

// lockTally makes whoever has written votes wait before the commit, for the tally, until the lock is given back.
func (w *worksite) lockTally(t *testing.T) (unlock func()) {
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
func (w *worksite) waitUntilWritten(t *testing.T) {
	t.Helper()
	eye := w.connect(t)
	eventually.Succeeds(t, patience, "the worker has written and waits for the tally", func() error {
		var waiting int
		err := eye.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'tally'::regclass").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("it does not wait yet")
		}
		return err
	})
}

// waitUntilCommitted waits until everybody sees votes that were not stored before.
func (w *worksite) waitUntilCommitted(t *testing.T) {
	t.Helper()
	eventually.Succeeds(t, patience, "votes are committed", func() error {
		if maps.Equal(w.stored(t), w.before) {
			return errors.New("there are none yet")
		}
		return nil
	})
}

// inHand is how many entries the workers were handed and have not acknowledged.
func (w *worksite) inHand(t *testing.T) int {
	t.Helper()
	answer := w.redis[0].Do(t, "EVAL", "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "1", redis.Stream, redis.Group)
	n, err := strconv.Atoi(strings.TrimPrefix(answer, ":"))
	if err != nil {
		t.Fatalf("redis says %q", answer)
	}
	return n
}

// The worker, a process of its own, is killed between each two of its steps in turn, and started again. Every vote counts
// once.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	w := newWorksite(t)
	const newcomers = 12
	points := []struct {
		name string
		// reach brings the worker to the point and returns what is left to be undone after its end.
		reach func(t *testing.T) (after func())
		// Whether something was stored by then, and whether all is still in the queue.
		stored, queued bool
	}{
		{"after reading", func(t *testing.T) func() {
			w.gateway.hold(toServer)
			w.cast(t, newcomers)
			eventually.Succeeds(t, patience, "the worker has read and would write", func() error {
				if w.inHand(t) == 0 || !w.gateway.holds(toServer, "votes") {
					return fmt.Errorf("it has %d entries in its hands", w.inHand(t))
				}
				return nil
			})
			return func() {}
		}, false, true},
		{"after writing", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t, newcomers)
			w.waitUntilWritten(t)
			return unlock
		}, false, true},
		{"after the commit, before hearing of it", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t, newcomers)
			w.waitUntilWritten(t)
			w.gateway.hold(toClient)
			unlock()
			w.waitUntilCommitted(t)
			return func() {}
		}, true, true},
		{"before acknowledging", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t, newcomers)
			w.waitUntilWritten(t)
			w.queue.hold(toServer)
			unlock()
			w.waitUntilCommitted(t)
			eventually.Succeeds(t, patience, "the worker would acknowledge", func() error {
				if !w.queue.holds(toServer, "EVALSHA") && !w.queue.holds(toServer, "XACK") {
					return errors.New("it has not come to it")
				}
				return nil
			})
			return func() {}
		}, true, true},
		{"after acknowledging, before hearing of it", func(t *testing.T) func() {
			unlock := w.lockTally(t)
			w.cast(t, newcomers)
			w.waitUntilWritten(t)
			w.queue.hold(toClient)
			unlock()
			eventually.Succeeds(t, patience, "entries are acknowledged", func() error {
				if left, err := w.queued(); err != nil || left == len(w.voters) {
					return fmt.Errorf("%d votes are left (%w)", left, err)
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
				t.Errorf("%d votes are in the queue at this point (%v), want all %d", left, err, len(w.voters))
			}
			w.queue.reset()
			w.gateway.reset()
			after()
			w.worker.Launch(t)
			w.waitUntilDrained(t)
			if counted := w.checkBooks(t, &w.books); counted.Total() != int64(len(w.voters)) {
				t.Errorf("%d voters are counted, want %d", counted.Total(), len(w.voters))
			}
		})
	}
}
