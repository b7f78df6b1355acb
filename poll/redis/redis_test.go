package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/redistest"
)

func newVote(choice poll.Choice) poll.Vote {
	return poll.Vote{Voter: poll.NewVoterID(), Choice: choice, CastAt: poll.TimestampOf(time.Now())}
}

func newQueue(t *testing.T, server *redistest.Server) *redis.Queue {
	t.Helper()
	queue, err := redis.NewQueue(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.Close)
	return queue
}

func newBacklog(t *testing.T, server *redistest.Server, worker string) *redis.Backlog {
	t.Helper()
	backlog, err := redis.NewBacklog(server.Address, worker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backlog.Close)
	if err := backlog.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return backlog
}

func next(t *testing.T, backlog *redis.Backlog, max int) []poll.Entry {
	t.Helper()
	entries, err := backlog.Next(t.Context(), max, 0)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func wantSize(t *testing.T, backlog *redis.Backlog, want int64) {
	t.Helper()
	if got, err := backlog.Size(t.Context()); err != nil || got != want {
		t.Errorf("the queue holds %d entries (%v), want %d", got, err, want)
	}
}

func TestVoteGoesThroughTheQueue(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	vote := newVote(poll.B)
	if err := queue.Append(t.Context(), vote); err != nil {
		t.Fatal(err)
	}
	// A vote that came before any worker did is not missed.
	backlog := newBacklog(t, server, "worker01")
	if err := backlog.Prepare(t.Context()); err != nil {
		t.Errorf("preparing again: %v", err)
	}
	entries := next(t, backlog, 10)
	if len(entries) != 1 || len(entries[0].Votes) != 1 || entries[0].Votes[0] != vote || entries[0].Fault != nil || entries[0].Gone {
		t.Fatalf("the queue has %+v, want the vote %+v", entries, vote)
	}
	if age := time.Since(entries[0].QueuedAt); age < -time.Second || age > time.Minute {
		t.Errorf("it was queued %s ago", age)
	}
	if again := next(t, backlog, 10); len(again) != 0 {
		t.Errorf("it was handed out twice: %+v", again)
	}
	wantSize(t, backlog, 1)
	for range 2 { // the second time it is not there any more
		if err := backlog.Acknowledge(t.Context(), []string{entries[0].ID}); err != nil {
			t.Fatal(err)
		}
	}
	wantSize(t, backlog, 0)
	if left, err := backlog.Unfinished(t.Context(), 10, ""); err != nil || len(left) != 0 {
		t.Errorf("%v is still unfinished (%v)", left, err)
	}
}

func TestManyVotersAtOnce(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	var wait sync.WaitGroup
	const voters = 5000
	failures := make(chan error, voters)
	for range voters {
		wait.Go(func() {
			if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
				failures <- err
			}
		})
	}
	wait.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	backlog := newBacklog(t, server, "worker01")
	seen := map[poll.VoterID]bool{}
	var ids []string
	for _, entry := range next(t, backlog, voters) {
		for _, vote := range entry.Votes {
			seen[vote.Voter] = true
		}
		ids = append(ids, entry.ID)
	}
	if len(seen) != voters {
		t.Errorf("%d voters came through, want %d", len(seen), voters)
	}
	if len(ids) > voters/10 {
		t.Errorf("%d voters at once make %d entries: they do not share writes", voters, len(ids))
	}
	if err := backlog.Acknowledge(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	wantSize(t, backlog, 0)
}

func TestManyEntriesAreAcknowledgedAtOnce(t *testing.T) {
	server := redistest.Start(t)
	backlog := newBacklog(t, server, "worker01")
	const entries = 5000 // more than Lua unpacks at once
	server.Do(t, "EVAL", `for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'votes', i) end`, "1", redis.Stream, fmt.Sprint(entries))
	wantSize(t, backlog, entries)
	var ids []string
	for _, entry := range next(t, backlog, entries) {
		ids = append(ids, entry.ID)
	}
	if err := backlog.Acknowledge(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	wantSize(t, backlog, 0)
}

func TestUnfinishedEntriesAreFoundAgain(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	for range 5 {
		if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
			t.Fatal(err)
		}
	}
	first := newBacklog(t, server, "worker01")
	handed := next(t, first, 5)

	// The worker starts again and asks, in two pages.
	again := newBacklog(t, server, "worker01")
	page, err := again.Unfinished(t.Context(), 3, "")
	if err != nil || len(page) != 3 || page[0].ID != handed[0].ID {
		t.Fatalf("the first page is %+v (%v)", page, err)
	}
	page, err = again.Unfinished(t.Context(), 3, page[2].ID)
	if err != nil || len(page) != 2 || page[1].Votes[0] != handed[4].Votes[0] {
		t.Fatalf("the second page is %+v (%v)", page, err)
	}

	// Another worker takes them over when they were left alone for long enough, and not before.
	other := newBacklog(t, server, "worker02")
	taken, _, err := other.TakeOver(t.Context(), 10, time.Hour, "")
	if err != nil || len(taken) != 0 {
		t.Fatalf("took over %+v (%v), want none before an hour", taken, err)
	}
	var all []poll.Entry
	for cursor, rounds := "", 0; ; rounds++ {
		taken, cursor, err = other.TakeOver(t.Context(), 2, 0, cursor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, taken...)
		if cursor == "" {
			break
		}
		if rounds > 10 {
			t.Fatal("the cursor does not end")
		}
	}
	if len(all) != 5 {
		t.Errorf("took over %d entries, want 5", len(all))
	}
	if left, err := again.Unfinished(t.Context(), 10, ""); err != nil || len(left) != 0 {
		t.Errorf("%d are still the first worker's (%v)", len(left), err)
	}
}

// An entry that was deleted while a worker had it has no votes and no fault.
func TestDeletedEntryIsGone(t *testing.T) {
	server := redistest.Start(t)
	if err := newQueue(t, server).Append(t.Context(), newVote(poll.A)); err != nil {
		t.Fatal(err)
	}
	backlog := newBacklog(t, server, "worker01")
	id := next(t, backlog, 1)[0].ID
	server.Do(t, "XDEL", redis.Stream, id)
	left, err := backlog.Unfinished(t.Context(), 10, "")
	if err != nil || len(left) != 1 || !left[0].Gone || left[0].Fault != nil {
		t.Fatalf("unfinished is %+v (%v), want one that is gone", left, err)
	}
	if err := backlog.Acknowledge(t.Context(), []string{left[0].ID}); err != nil {
		t.Fatal(err)
	}
	if left, err := backlog.Unfinished(t.Context(), 10, ""); err != nil || len(left) != 0 {
		t.Errorf("it is still there: %+v (%v)", left, err)
	}
}

func TestDeadLetterKeepsTheEntryWhole(t *testing.T) {
	server := redistest.Start(t)
	backlog := newBacklog(t, server, "worker01")
	server.Do(t, "XADD", redis.Stream, "*", "voter", "me\x00\xff\r\n", "voter", "again", "reason", "mine")
	entries := next(t, backlog, 10)
	if len(entries) != 1 || entries[0].Fault == nil {
		t.Fatalf("the queue has %+v, want one that cannot be read", entries)
	}
	for range 2 { // a second worker, or a lost answer: still one copy
		if err := backlog.MoveToDeadLetters(t.Context(), entries[0].ID, "not a vote"); err != nil {
			t.Fatal(err)
		}
	}
	wantSize(t, backlog, 0)
	letters, err := backlog.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("the dead letters are %+v (%v), want one", letters, err)
	}
	want := fmt.Sprintf(`"entry"=%q "voter"="me\x00\xff\r\n" "voter"="again" "reason"="mine"`, entries[0].ID)
	if letters[0].Content != want || letters[0].Reason != `"not a vote"` || letters[0].Queue != backlog.Name() {
		t.Errorf("it was kept as %+v, want the content %s", letters[0], want)
	}
	if err := backlog.DiscardDeadLetters(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
	if letters, err := backlog.DeadLetters(t.Context(), 10); err != nil || len(letters) != 0 {
		t.Errorf("still there: %+v (%v)", letters, err)
	}
}

func TestCheckWritableLeavesNothingThatGrows(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	for range 20 {
		if err := queue.CheckWritable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Do(t, "DBSIZE"); got != "2" {
		t.Errorf("redis has %s keys, want two: the proof and the stream with the workers' group", got)
	}
	if got := server.Do(t, "TTL", "votes-health"); got == "-1" {
		t.Error("the key does not expire")
	}
}

// Out of memory, Redis takes no votes and says so; workers can still empty the queue, and then it takes votes again.
func TestOutOfMemoryVotesAreRefusedAndTheQueueIsDrained(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	backlog := newBacklog(t, server, "worker01")
	for range 100 {
		if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
			t.Fatal(err)
		}
	}
	server.Do(t, "XADD", redis.Stream, "*", "not", "a vote")
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if err := queue.Append(t.Context(), newVote(poll.A)); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the vote was answered with %v, want ErrUnavailable", err)
	}
	if err := queue.CheckWritable(t.Context()); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the check says %v, want ErrUnavailable", err)
	}
	if err := newBacklog(t, server, "worker02").Prepare(t.Context()); err != nil {
		t.Errorf("a worker that starts now cannot work: %v", err)
	}
	entries := next(t, backlog, 1000)
	var ids []string
	for _, entry := range entries[:100] {
		ids = append(ids, entry.ID)
	}
	if err := backlog.Acknowledge(t.Context(), ids); err != nil {
		t.Fatalf("acknowledging out of memory: %v", err)
	}
	letter := entries[100]
	if err := backlog.MoveToDeadLetters(t.Context(), letter.ID, "not a vote"); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("moving a dead letter out of memory: %v, want ErrUnavailable", err)
	}
	wantSize(t, backlog, 1) // not lost
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	if err := backlog.MoveToDeadLetters(t.Context(), letter.ID, "not a vote"); err != nil {
		t.Error(err)
	}
	if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
		t.Error(err)
	}
}

// What Redis has answered is still there after it was killed; while it is down votes fail at once; and everything goes on
// by itself when it is back.
func TestQueueSurvivesAKill(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	backlog := newBacklog(t, server, "worker01")
	for range 50 {
		if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
			t.Fatal(err)
		}
	}
	server.Kill()
	started := time.Now()
	if err := queue.Append(t.Context(), newVote(poll.B)); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the vote was answered with %v, want ErrUnavailable", err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("the failure took %s", took)
	}
	if _, err := backlog.Next(t.Context(), 10, 0); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("reading gives %v, want ErrUnavailable", err)
	}
	server.Restart(t)
	if err := queue.Append(t.Context(), newVote(poll.B)); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if entries := next(t, backlog, 100); len(entries) != 51 {
		t.Errorf("%d votes are there, want 51", len(entries))
	}
}

// A Redis that hangs is a failure in bounded time, not a voter who waits for ever.
func TestHangingRedisFailsInTime(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	if err := queue.CheckWritable(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause(t)
	defer server.Resume(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	started := time.Now()
	if err := queue.Append(ctx, newVote(poll.A)); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("the vote was answered with %v, want ErrUnavailable", err)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("the failure took %s", took)
	}
}

// A voter who was told that it takes too long has not voted, if the vote was still waiting for its turn.
func TestVoteThatWaitedTooLongIsNotQueued(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	if err := queue.CheckWritable(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause(t)
	first := make(chan error, 1)
	go func() { first <- queue.Append(context.Background(), newVote(poll.A)) }()
	time.Sleep(50 * time.Millisecond) // it is on its way
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := queue.Append(ctx, newVote(poll.B)); !errors.Is(err, poll.ErrUnavailable) {
				t.Errorf("the vote was answered with %v, want ErrUnavailable", err)
			}
		})
	}
	wait.Wait()
	server.Resume(t)
	if err := <-first; err != nil {
		t.Errorf("the vote on its way: %v", err)
	}
	if err := queue.Append(t.Context(), newVote(poll.A)); err != nil {
		t.Error(err)
	}
	for _, entry := range next(t, newBacklog(t, server, "worker01"), 100) {
		for _, vote := range entry.Votes {
			if vote.Choice == poll.B {
				t.Error("a vote was queued after its voter had been told otherwise")
			}
		}
	}
}

// A queue that is closed has answered every vote, and takes no more.
func TestCloseAnswersEveryVote(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	var wait sync.WaitGroup
	var taken atomic.Int64
	for range 1000 {
		wait.Go(func() {
			if err := queue.Append(t.Context(), newVote(poll.A)); err == nil {
				taken.Add(1)
			}
		})
	}
	time.Sleep(2 * time.Millisecond)
	queue.Close()
	queue.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := queue.Append(ctx, newVote(poll.A)); err == nil {
		t.Error("a closed queue takes votes")
	}
	wait.Wait()
	var votes int64
	for _, entry := range next(t, newBacklog(t, server, "worker01"), 1000) {
		votes += int64(len(entry.Votes))
	}
	if votes != taken.Load() {
		t.Errorf("%d votes are queued, and %d voters were told so", votes, taken.Load())
	}
}

// A Redis that lost everything, the group included, says so in a way that Prepare mends.
func TestPrepareMendsAnEmptiedRedis(t *testing.T) {
	server := redistest.Start(t)
	backlog := newBacklog(t, server, "worker01")
	server.Do(t, "FLUSHALL")
	if _, err := backlog.Next(t.Context(), 10, 0); !errors.Is(err, poll.ErrUnavailable) {
		t.Fatalf("reading gives %v, want ErrUnavailable", err)
	}
	if err := backlog.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries := next(t, backlog, 10); len(entries) != 0 {
		t.Errorf("an empty queue has %v", entries)
	}
}

func TestNextWaitsForAVote(t *testing.T) {
	server := redistest.Start(t)
	queue := newQueue(t, server)
	backlog := newBacklog(t, server, "worker01")
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = queue.Append(context.Background(), newVote(poll.A)) // if it fails, no entry comes below
	}()
	entries, err := backlog.Next(t.Context(), 10, 20*time.Second)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v (%v), want the vote", entries, err)
	}
	if entries, err := backlog.Next(t.Context(), 10, 10*time.Millisecond); err != nil || len(entries) != 0 {
		t.Errorf("got %v (%v), want none", entries, err)
	}
}

// A worker that is told to stop does not wait for a vote first.
func TestNextEndsWithItsContext(t *testing.T) {
	backlog := newBacklog(t, redistest.Start(t), "worker01")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		started := time.Now()
		if _, err := backlog.Next(ctx, 10, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("reading ended with %v, want the context's end", err)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Fatalf("it took %s", took)
		}
	}
}

func TestBacklogName(t *testing.T) {
	for address, want := range map[string]string{"redis01:6379": "redis01", "redis01:6380": "redis01:6380", "10.0.0.1:6379": "10.0.0.1",
		"127.0.0.1:16379": "127.0.0.1:16379", "[::1]:6379": "::1", "localhost:7000": "localhost:7000"} {
		backlog, err := redis.NewBacklog(address, "worker01")
		if err != nil {
			t.Fatal(err)
		}
		if got := backlog.Name(); got != want {
			t.Errorf("the queue at %s has the name %q, want %q", address, got, want)
		}
		backlog.Close()
	}
}

func TestWrongAddress(t *testing.T) {
	for _, address := range []string{"", "redis01", "redis01:6379:1"} {
		if _, err := redis.NewQueue(address); err == nil || !strings.Contains(err.Error(), "host:port") {
			t.Errorf("NewQueue(%q): %v", address, err)
		}
		if _, err := redis.NewBacklog(address, "worker01"); err == nil {
			t.Errorf("NewBacklog(%q): no error", address)
		}
	}
}
