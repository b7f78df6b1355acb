package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/voters"
)

// wantRefusal votes. The page must soon say that the vote was not taken and ask to choose again.
func wantRefusal(t testing.TB, voter *voters.Voter, site voters.Site) {
	t.Helper()
	answer := voter.Vote(t.Context(), site, poll.A)
	if answer.Kind != voters.Refused || answer.Header.Get("Retry-After") == "" {
		t.Fatalf("answered with %d, Retry-After %q, want 503 and a time: %v\n%s", answer.Status, answer.Header.Get("Retry-After"),
			answer.Err(), answer.Page)
	}
	for _, want := range []string{`role="alert"`, "choose again", `<button class="option a"`} {
		if !strings.Contains(answer.Page, want) {
			t.Errorf("the page lacks %q:\n%s", want, answer.Page)
		}
	}
	if answer.Took() > 8*time.Second {
		t.Errorf("the voter waited %s for it, want 8 s at most", answer.Took())
	}
}

// voteUntilAcknowledged votes for b until the vote is acknowledged.
func voteUntilAcknowledged(t testing.TB, voter *voters.Voter, site voters.Site) {
	t.Helper()
	eventually.Succeeds(t, patience, "the vote is acknowledged", func() error {
		answer := voter.Vote(t.Context(), site, poll.B)
		if answer.Kind == voters.Unexpected {
			t.Fatal(answer.Err())
		}
		return answer.Err()
	})
}

// Redis is killed or hangs. Voters are told so. Once it is back, votes are counted again without any help.
func TestVotingRecoversWithRedis(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	s.addWorker(t)
	s.addResults(t)
	var books voters.Books
	site := siteOf(frontend)
	six := newVoters(t, &books, site, 6)
	server := s.redis[0]
	for name, event := range map[string]struct{ begin, end func() }{
		"killed":  {server.Kill, func() { server.Restart(t) }},
		"hanging": {func() { server.Pause(t) }, func() { server.Resume(t) }},
	} {
		event.begin()
		wantRefusal(t, six[0], site)
		wantRefusal(t, six[1], site)
		eventually.Succeeds(t, patience, name+": the frontend is not ready", func() error {
			if err := ready(t, frontend); err == nil {
				return errors.New("/readyz says that it is")
			}
			return nil
		})
		event.end()
		for _, voter := range six[:5] {
			voteUntilAcknowledged(t, voter, site)
		}
		eventually.Succeeds(t, patience, name+": the frontend is ready", func() error { return ready(t, frontend) })
	}
	if err := six[5].Vote(t.Context(), site, poll.A).Err(); err != nil {
		t.Fatal(err)
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, &books)
}

// Redis is full before the first worker starts. Voters are told so. The worker then makes room, and every acknowledged vote
// is counted.
func TestWorkerMakesRoomInFullRedis(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	s.addResults(t)
	eventually.Succeeds(t, patience, "the frontend is ready", func() error { return ready(t, frontend) })
	var books voters.Books
	site := siteOf(frontend)
	all := newVoters(t, &books, site, 20)
	cast := func() (refused int) {
		for i, voter := range all {
			switch answer := voter.Vote(t.Context(), site, poll.Choices()[i%2]); answer.Kind {
			case voters.Good:
			case voters.Refused:
				refused++
			default:
				t.Fatal(answer.Err())
			}
		}
		return refused
	}
	if refused := cast(); refused != 0 {
		t.Fatalf("%d votes were refused while Redis had room, want none", refused)
	}
	s.redis[0].Do(t, "CONFIG", "SET", "maxmemory", "1")
	if refused := cast(); refused != len(all) {
		t.Errorf("%d of %d votes were refused while Redis was full, want all", refused, len(all))
	}
	wantRefusal(t, all[0], site)
	worker := s.addWorker(t)
	s.waitUntilDrained(t)
	s.checkBooks(t, &books)
	s.redis[0].Do(t, "CONFIG", "SET", "maxmemory", "0")
	eventually.Succeeds(t, patience, "the worker is ready", func() error { return ready(t, worker) })
	for _, voter := range all {
		voteUntilAcknowledged(t, voter, site)
	}
	s.waitUntilDrained(t)
	if counted := s.checkBooks(t, &books); counted != (poll.Tally{B: int64(len(all))}) {
		t.Errorf("%+v are counted, want all for b", counted)
	}
}

// The database's disk is full. Votes wait in the queue, and are stored once there is room.
func TestVotesWaitForFullDatabaseDisk(t *testing.T) {
	t.Parallel()
	// Not t.TempDir, which PostgreSQL's own user may not enter.
	directory, err := os.MkdirTemp("", "small-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(directory); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("cannot mount a small disk: %v; run the test as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := &system{postgres: postgrestest.StartIn(t, directory)}
	frontend := s.addFrontend(t)
	worker := s.addWorker(t)
	s.addResults(t)
	var books voters.Books
	site := siteOf(frontend)
	all := newVoters(t, &books, site, 2000)
	cast := func(voters []*voters.Voter) {
		for i, voter := range voters {
			if err := voter.Vote(t.Context(), site, poll.Choices()[i%2]).Err(); err != nil {
				t.Fatalf("a vote was not acknowledged although the queue has room: %v", err)
			}
		}
	}
	cast(all[:100])
	s.waitUntilDrained(t)

	ballast := filepath.Join(directory, "ballast")
	fill(t, ballast)
	cast(all)
	eventually.Succeeds(t, patience, "the worker is not ready because of PostgreSQL", func() error {
		if err := ready(t, worker); err == nil || !strings.Contains(err.Error(), "postgres") {
			return fmt.Errorf("/readyz says %w", err)
		}
		return nil
	})
	eventually.Succeeds(t, patience, "the results are not live", func() error {
		results, err := voters.ReadResults(t.Context(), s.results.URL)
		if err == nil && results.Live {
			err = errors.New("they are")
		}
		return err
	})
	if status, body, err := ask(t, worker.URL+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz of a worker that waits for its database says %d %s (%v), want 200", status, body, err)
	}
	if queued, err := s.queued(); err != nil || queued == 0 {
		t.Errorf("%d votes are queued (%v), want those that cannot be stored yet", queued, err)
	}
	cast(all[:100])

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually.Succeeds(t, patience, "the queues are empty", func() error {
		if s.postgres.Ended() { // PostgreSQL may end when it cannot write; a restart policy starts it again
			s.postgres.Restart(t)
		}
		queued, err := s.queued()
		if err == nil && queued > 0 {
			err = fmt.Errorf("%d votes are queued", queued)
		}
		return err
	})
	if counted := s.checkBooks(t, &books); counted.Total() != int64(len(all)) {
		t.Errorf("%d voters are counted, want %d", counted.Total(), len(all))
	}
}

// fill writes a file until the disk is full.
func fill(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err == nil {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}

// Dead letters, entries that cannot be read as votes, go unchanged to a stream of their own, with a metric and a log line.
// The votes around them are counted.
func TestDeadLettersDoNotStopVotes(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	worker := s.addWorker(t)
	s.addResults(t)
	var books voters.Books
	site := siteOf(frontend)
	all := newVoters(t, &books, site, 10)
	none := fmt.Sprintf("poll_worker_entries_unreadable_total{queue=%q} 0\n", s.redis[0].Address)
	if _, metrics, err := ask(t, worker.Metrics+"/metrics"); err != nil || !strings.Contains(metrics, none) {
		t.Errorf("before the first dead letter the metrics lack %q (%v)", none, err)
	}
	hostile := "'); DROP TABLE votes; -- <script>alert(1)</script> \x00\xff"
	for i, voter := range all {
		id := all[(i+1)%len(all)].ID().String()
		s.redis[0].Do(t, "XADD", redis.Stream, "*", "votes", id+" "+hostile+" 1\n")
		s.redis[0].Do(t, "XADD", redis.Stream, "*", "votes", hostile+" a 1\n")
		s.redis[0].Do(t, "XADD", redis.Stream, "*", hostile, hostile)
		if err := voter.Vote(t.Context(), site, poll.B).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, &books)
	want := 3 * len(all)
	if got := s.redis[0].Do(t, "XLEN", redis.DeadLetterStream); got != fmt.Sprint(want) {
		t.Errorf("%s dead letters, want %d", got, want)
	}
	for _, line := range []string{
		fmt.Sprintf("poll_worker_entries_unreadable_total{queue=%q} %d", s.redis[0].Address, want),
		fmt.Sprintf("poll_worker_dead_letters{queue=%q} %d", s.redis[0].Address, want),
	} {
		eventually.Succeeds(t, patience, "the metrics have "+line, func() error {
			_, metrics, err := ask(t, worker.Metrics+"/metrics")
			if err == nil && !strings.Contains(metrics, line+"\n") {
				err = errors.New("they lack it")
			}
			return err
		})
	}
	if got := strings.Count(worker.Log.String(), "cannot be read as votes"); got != want {
		t.Errorf("the log has %d lines about dead letters, want %d", got, want)
	}
	s.checkLogs(t, &books)
}
