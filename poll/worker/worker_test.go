package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/poll/redis"
	"swarm-scale/poll/worker"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/redistest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// patience is how long the tests wait for what happens in a second on an idle machine.
const patience = 30 * time.Second

// bench is a real queue and a real database.
type bench struct {
	t          *testing.T
	server     *redistest.Server
	queue      *redis.Queue
	votes      *postgres.Votes
	scoreboard *postgres.Scoreboard
	hand, eye  *pgx.Conn // for the test itself
}

func newBench(t *testing.T) *bench {
	t.Helper()
	database := postgrestest.Shared(t)
	address := postgres.Address{Servers: []string{database.Address()}, User: "postgres",
		Database: database.NewDatabase(t), Password: postgrestest.Password}
	b := &bench{t: t, server: redistest.Start(t), hand: database.Connect(t, address.Database),
		eye: database.Connect(t, address.Database)}
	var err error
	if b.queue, err = redis.NewQueue(b.server.Address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.queue.Close)
	if b.votes, err = postgres.NewVotes(address, "worker", 4); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.votes.Close)
	if b.scoreboard, err = postgres.NewScoreboard(address, "results", 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.scoreboard.Close)
	return b
}

func (b *bench) backlog(worker string) *redis.Backlog {
	return backlogOf(b.t, b.server.Address, worker)
}

func backlogOf(t *testing.T, address, worker string) *redis.Backlog {
	t.Helper()
	backlog, err := redis.NewBacklog(address, worker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backlog.Close)
	return backlog
}

// append queues so many votes by as many voters, and returns them.
func (b *bench) append(voters int, choice poll.Choice) []poll.Vote {
	b.t.Helper()
	votes := make([]poll.Vote, voters)
	for i := range votes {
		votes[i] = poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())}
	}
	b.appendVotes(votes...)
	return votes
}

// appendVotes queues votes one after another: each is an entry of its own.
func (b *bench) appendVotes(votes ...poll.Vote) {
	b.t.Helper()
	for _, vote := range votes {
		if err := b.queue.Append(b.t.Context(), vote); err != nil {
			b.t.Error(err)
		}
	}
}

// appendTogether queues so many votes by as many voters at once: they share entries.
func (b *bench) appendTogether(voters int, choice poll.Choice) {
	b.t.Helper()
	var wait sync.WaitGroup
	for range voters {
		wait.Go(func() {
			if err := b.queue.Append(b.t.Context(), poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())}); err != nil {
				b.t.Error(err)
			}
		})
	}
	wait.Wait()
}

// quick makes a worker look often, so that tests need not wait.
func quick() worker.Options {
	return worker.Options{Batch: 7, Wait: 20 * time.Millisecond, Recheck: 50 * time.Millisecond, IdleAfter: 50 * time.Millisecond,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, StepTimeout: 5 * time.Second}
}

// run runs a worker on these queues until stop or the end of the test.
func run(t *testing.T, votes poll.Votes, options worker.Options, backlogs ...poll.Backlog) (w *worker.Worker, stop func()) {
	t.Helper()
	w, names := newWorker(votes, options, backlogs...)
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.Follow(ctx, names); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		t.Helper()
		cancel()
		wantEnd(t, w)
	}
	t.Cleanup(stop)
	return w, stop
}

// newWorker makes a worker that opens these queues by their names.
func newWorker(votes poll.Votes, options worker.Options, backlogs ...poll.Backlog) (*worker.Worker, []string) {
	byName := map[string]poll.Backlog{}
	for _, backlog := range backlogs {
		byName[backlog.Name()] = backlog
	}
	open := func(address string) (poll.Backlog, error) { return byName[address], nil }
	return worker.New(votes, open, options), slices.Collect(maps.Keys(byName))
}

// wantEnd waits for a worker that was told to stop.
func wantEnd(t *testing.T, w *worker.Worker) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the worker does not stop")
	}
}

// wantDrained waits until the database has this tally and the queue is empty.
func (b *bench) wantDrained(want poll.Tally) {
	b.t.Helper()
	backlog := b.backlog("test")
	eventually.Succeeds(b.t, patience, fmt.Sprintf("the tally is %+v and the queue is empty", want), func() error {
		got, err := b.scoreboard.Tally(b.t.Context())
		if err != nil {
			return err
		}
		size, err := backlog.Size(b.t.Context())
		if err != nil {
			return err
		}
		if got != want || size != 0 {
			return fmt.Errorf("the tally is %+v, and %d entries are queued", got, size)
		}
		return nil
	})
}

func TestVotesReachTheDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.append(50, poll.A) // before there is any worker
	w, stop := run(t, b.votes, quick(), b.backlog("worker01"))
	changing := b.append(20, poll.B)
	b.wantDrained(poll.Tally{A: 50, B: 20})
	for i := range changing {
		changing[i].Choice = poll.A
		changing[i].CastAt++
	}
	b.appendVotes(changing...)
	b.wantDrained(poll.Tally{A: 70})
	if err := errors.Join(w.Ready(), w.Alive()); err != nil {
		t.Errorf("the worker does not feel well: %v", err)
	}
	stop()
	b.append(3, poll.B)
	time.Sleep(100 * time.Millisecond)
	if got, err := b.scoreboard.Tally(t.Context()); err != nil || got != (poll.Tally{A: 70}) {
		t.Errorf("after the stop the tally is %+v (%v), want it unchanged", got, err)
	}
}

// crash is what a worker that is killed leaves behind: at one point it does nothing more.
type crash struct {
	poll.Backlog
	point string // "after reading", "after commit"
	kill  context.CancelFunc
	dead  atomic.Bool
}

var errDead = errors.New("this worker was killed")

func (c *crash) Name() string { return "crashing" }

func (c *crash) die() error {
	c.dead.Store(true)
	c.kill()
	return errDead
}

func (c *crash) Next(ctx context.Context, max int, wait time.Duration) ([]poll.Entry, error) {
	if c.dead.Load() {
		return nil, errDead
	}
	entries, err := c.Backlog.Next(ctx, max, wait)
	if err == nil && len(entries) > 0 && c.point == "after reading" {
		return nil, c.die()
	}
	return entries, err
}

func (c *crash) Acknowledge(ctx context.Context, ids []string) error {
	if c.dead.Load() || len(ids) > 0 && c.point == "after commit" {
		return c.die()
	}
	return c.Backlog.Acknowledge(ctx, ids)
}

func (c *crash) Unfinished(ctx context.Context, max int, after string) ([]poll.Entry, error) {
	if c.dead.Load() {
		return nil, errDead
	}
	return c.Backlog.Unfinished(ctx, max, after)
}

func (c *crash) HandBack(ctx context.Context) error {
	if c.dead.Load() {
		return errDead
	}
	return c.Backlog.HandBack(ctx)
}

// A worker is killed at each point in turn. Another one, or the same one started again, finishes what it left; every vote
// counts once.
func TestVotesSurviveACrash(t *testing.T) {
	t.Parallel()
	successors := map[string]string{"started again": "worker01", "another worker": "worker02"}
	for _, point := range []string{"after reading", "after writing", "after commit"} {
		for name, successor := range successors {
			t.Run(point+", "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				if err := b.votes.Prepare(t.Context()); err != nil {
					t.Fatal(err)
				}
				b.append(10, poll.A)
				b.append(5, poll.B)
				ctx, kill := context.WithTimeout(t.Context(), patience)
				defer kill()
				victim := &crash{Backlog: b.backlog("worker01"), point: point, kill: kill}
				options := quick()
				options.Batch = 100
				var lock pgx.Tx
				if point == "after writing" {
					lock = b.lockTally()
				}
				w, names := newWorker(b.votes, options, victim)
				if err := w.Follow(ctx, names); err != nil {
					t.Fatal(err)
				}
				if point == "after writing" {
					b.killWhileWriting(victim)
					wantEnd(t, w)
					if err := lock.Rollback(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				wantEnd(t, w)
				if !victim.dead.Load() {
					t.Fatal("the worker did not come to the point")
				}
				want := poll.Tally{}
				if point == "after commit" {
					want = poll.Tally{A: 10, B: 5}
				}
				if got, err := b.scoreboard.Tally(t.Context()); err != nil || got != want {
					t.Fatalf("the killed worker left the tally %+v (%v), want %+v", got, err, want)
				}
				if size, err := b.backlog("test").Size(t.Context()); err != nil || size != 15 {
					t.Fatalf("the killed worker left %d entries (%v), want all 15", size, err)
				}
				run(t, b.votes, quick(), b.backlog(successor))
				b.wantDrained(poll.Tally{A: 10, B: 5})
			})
		}
	}
}

// lockTally makes whoever has written votes wait before the commit, for the tally.
func (b *bench) lockTally() pgx.Tx {
	b.t.Helper()
	lock, err := b.hand.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := lock.Exec(b.t.Context(), "LOCK TABLE tally IN ACCESS EXCLUSIVE MODE"); err != nil {
		b.t.Fatal(err)
	}
	return lock
}

// killWhileWriting kills the worker, and ends its connection to the database, when it has written all votes and waits for
// the tally.
func (b *bench) killWhileWriting(victim *crash) {
	b.t.Helper()
	waiting := `FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO votes%'
		AND datname = current_database() AND pid <> pg_backend_pid()`
	eventually.Succeeds(b.t, patience, "the worker has written and waits for the tally", func() error {
		var workers int
		err := b.eye.QueryRow(b.t.Context(), "SELECT count(*) "+waiting).Scan(&workers)
		if err == nil && workers == 0 {
			err = errors.New("it does not wait yet")
		}
		return err
	})
	victim.dead.Store(true)
	victim.kill()
	if _, err := b.eye.Exec(b.t.Context(), "SELECT pg_terminate_backend(pid) "+waiting); err != nil {
		b.t.Fatal(err)
	}
}

// An idle queue, and one whose Redis is gone or hangs, never hold up another.
func TestQueuesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	idle, hanging := redistest.Start(t), redistest.Start(t)
	gone := redistest.Start(t)
	hangingBacklog := backlogOf(t, hanging.Address, "worker01")
	if err := hangingBacklog.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone.Kill()
	hanging.Pause(t)
	defer hanging.Resume(t)
	options := quick()
	options.Wait = time.Minute // an idle queue is waited for longer than the test takes
	w, _ := run(t, b.votes, options, backlogOf(t, idle.Address, "worker01"), hangingBacklog,
		backlogOf(t, gone.Address, "worker01"), b.backlog("worker01"))
	started := time.Now()
	b.append(30, poll.B)
	b.wantDrained(poll.Tally{B: 30})
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	eventually.Succeeds(t, patience, "the worker says which queues it cannot drain", func() error {
		err := w.Ready()
		if err == nil || !strings.Contains(err.Error(), gone.Address) || strings.Contains(err.Error(), b.server.Address) {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
	hanging.Resume(t)
}

func TestEntriesThatCannotBeReadBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var log bytes.Buffer
	options := quick()
	options.Log = slog.New(slog.NewTextHandler(&log, nil))
	b.append(3, poll.A)
	b.server.Do(t, "XADD", redis.Stream, "*", "voter", "secret-voter\x00", "choice", "<script>", "cast_at", "now")
	b.append(3, poll.B)
	b.server.Do(t, "XADD", redis.Stream, "*", "vote", "a")
	b.append(3, poll.A)
	// One vote of this entry can be read: it counts, and the entry is a dead letter for the others' sake.
	b.server.Do(t, "XADD", redis.Stream, "*", "votes", "secret-voter <script> now\nsecret-voter\n000102030405060708090a0b0c0d0e0f b 1\n")
	_, stop := run(t, b.votes, options, b.backlog("worker01"))
	b.wantDrained(poll.Tally{A: 6, B: 4})
	stop()
	if got := b.server.Do(t, "XLEN", redis.DeadLetterStream); got != "3" {
		t.Errorf("%s dead letters, want 3", got)
	}
	if lines := strings.Count(log.String(), "cannot be read as votes"); lines != 3 {
		t.Errorf("the log has %d lines about them, want 3:\n%s", lines, log.String())
	}
	if strings.Contains(log.String(), "secret-voter") {
		t.Errorf("the log has the voter:\n%s", log.String())
	}
}

// Redis is out of memory, and the first entries cannot be read: they cannot become dead letters now, and the votes behind
// them are stored all the same.
func TestDeadLetterThatCannotBeMovedHoldsUpNoVote(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.backlog("worker01").Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 { // more than a batch
		b.server.Do(t, "XADD", redis.Stream, "*", "not", "a vote")
	}
	b.append(20, poll.A)
	b.server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	run(t, b.votes, quick(), b.backlog("worker01"))
	eventually.Succeeds(t, patience, "the votes are stored", func() error {
		if got, err := b.scoreboard.Tally(t.Context()); err != nil || got.A != 20 {
			return errors.Join(err, fmt.Errorf("the tally is %+v", got))
		}
		return nil
	})
	b.server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	b.wantDrained(poll.Tally{A: 20})
	if got := b.server.Do(t, "XLEN", redis.DeadLetterStream); got != "10" {
		t.Errorf("%s dead letters, want 10", got)
	}
}

func TestTwoWorkersShareAQueue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var first, second atomic.Int64
	run(t, counting{b.votes, &first}, quick(), b.backlog("worker01"))
	run(t, counting{b.votes, &second}, quick(), b.backlog("worker02"))
	for range 10 {
		b.appendTogether(100, poll.A)
	}
	b.wantDrained(poll.Tally{A: 1000})
	if first.Load() == 0 || second.Load() == 0 {
		t.Errorf("the workers stored %d and %d votes, want both some", first.Load(), second.Load())
	}
}

// counting counts the votes that are saved.
type counting struct {
	poll.Votes
	saved *atomic.Int64
}

func (c counting) Save(ctx context.Context, votes []poll.Vote) (int64, error) {
	c.saved.Add(int64(len(votes)))
	return c.Votes.Save(ctx, votes)
}

// The database is away for a while, in the middle of it all.
func TestDatabaseComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := postgrestest.Start(t)
	votes, err := postgres.NewVotes(postgres.Address{Servers: []string{server.Address()}, User: "postgres", Database: "postgres",
		Password: postgrestest.Password}, "worker", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(votes.Close)
	w, _ := run(t, votes, quick(), b.backlog("worker01"))
	b.append(10, poll.A)
	backlog := b.backlog("test")
	empty := func() error {
		if size, err := backlog.Size(t.Context()); err != nil || size != 0 {
			return errors.Join(err, fmt.Errorf("%d entries are queued", size))
		}
		return nil
	}
	eventually.Succeeds(t, patience, "the queue is empty", empty)
	server.Kill()
	b.append(10, poll.B)
	eventually.Succeeds(t, patience, "the worker says that the database is away", func() error {
		if w.Ready() == nil {
			return errors.New("it says that it is ready")
		}
		return nil
	})
	if err := w.Alive(); err != nil {
		t.Errorf("a worker that waits for its database is alive, but says %v", err)
	}
	if size, err := backlog.Size(t.Context()); err != nil || size != 10 {
		t.Errorf("%d entries are queued (%v), want all 10", size, err)
	}
	server.Restart(t)
	eventually.Succeeds(t, patience, "the queue is empty again", empty)
	var stored int
	if err := server.Connect(t, "postgres").QueryRow(t.Context(), "SELECT count(*) FROM votes").Scan(&stored); err != nil || stored != 20 {
		t.Errorf("%d votes are stored (%v), want 20", stored, err)
	}
	eventually.Succeeds(t, patience, "the worker is ready", w.Ready)
}

// A worker that is told to stop finishes the batch in its hands.
func TestStopFinishesTheBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	slow := &slowVotes{Votes: b.votes, begun: make(chan struct{}), goOn: make(chan struct{})}
	options := quick()
	options.Batch = 100
	_, stop := run(t, slow, options, b.backlog("worker01"))
	b.append(1, poll.A)
	<-slow.begun
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	time.Sleep(50 * time.Millisecond)
	close(slow.goOn)
	<-stopped
	b.wantDrained(poll.Tally{A: 1})
}

type slowVotes struct {
	poll.Votes
	begun, goOn chan struct{}
	once        sync.Once
}

func (s *slowVotes) Save(ctx context.Context, votes []poll.Vote) (int64, error) {
	s.once.Do(func() { close(s.begun) })
	<-s.goOn
	return s.Votes.Save(ctx, votes)
}

func TestQueueDrains(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.append(40, poll.A)
	// Another worker has some in its hands and does not come back.
	other := b.backlog("worker02")
	if err := other.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if taken, err := other.Next(t.Context(), 15, 0); err != nil || len(taken) != 15 {
		t.Fatalf("took %d (%v)", len(taken), err)
	}
	b.server.Do(t, "XADD", redis.Stream, "*", "not", "a vote")
	drained, err := worker.Drain(t.Context(), b.votes, b.backlog("worker01-drain"), quick())
	if err != nil || drained != (worker.Drained{Votes: 40, DeadLetters: 1}) {
		t.Errorf("it did %+v (%v), want 40 votes and 1 dead letter", drained, err)
	}
	b.wantDrained(poll.Tally{A: 40})
	if got := b.server.Do(t, "XLEN", redis.DeadLetterStream); got != "0" {
		t.Errorf("redis still has %s dead letters", got)
	}
	var kept int
	if err := b.hand.QueryRow(t.Context(), "SELECT count(*) FROM unreadable_entries").Scan(&kept); err != nil || kept != 1 {
		t.Errorf("the database has %d dead letters (%v), want 1", kept, err)
	}
	drained, err = worker.Drain(t.Context(), b.votes, b.backlog("worker01-drain"), quick())
	if err != nil || drained != (worker.Drained{}) {
		t.Errorf("draining an empty queue did %+v (%v)", drained, err)
	}
}

func TestQueueReportsFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.append(5, poll.A)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	drained, err := worker.Drain(ctx, &givingUp{failing: failing{b.votes}, cancel: cancel}, b.backlog("worker01-drain"), quick())
	if err == nil || drained.Votes != 0 || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("it did %+v and said %v, want that the disk is full", drained, err)
	}
	gone := redistest.Start(t)
	backlog := backlogOf(t, gone.Address, "worker01-drain")
	gone.Kill()
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := worker.Drain(ctx, b.votes, backlog, quick()); err == nil {
		t.Error("a queue that cannot be reached counts as drained")
	}
}

type failing struct{ poll.Votes }

func (failing) Save(context.Context, []poll.Vote) (int64, error) {
	return 0, fmt.Errorf("the disk is full: %w", poll.ErrUnavailable)
}

// givingUp fails too, and ends the context when it fails for the second time.
type givingUp struct {
	failing
	cancel   context.CancelFunc
	failures int
}

func (g *givingUp) Save(ctx context.Context, votes []poll.Vote) (int64, error) {
	if g.failures++; g.failures == 2 {
		g.cancel()
	}
	return g.failing.Save(ctx, votes)
}
