package chaos

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
)

// newVoters opens the vote page for so many.
func newVoters(t testing.TB, frontend *programtest.Program, count int) []*voter {
	t.Helper()
	voters := make([]*voter, count)
	client := newClient(patience)
	for i := range voters {
		var err error
		if voters[i], err = newVoter(t.Context(), client, frontend.URL); err != nil {
			t.Fatal(err)
		}
	}
	return voters
}

// wantHonestRefusal votes and wants to be told, in time and by a page that asks to try again, that it did not work.
func wantHonestRefusal(t testing.TB, v *voter, frontend *programtest.Program) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, frontend.URL, strings.NewReader("vote=a"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.AddCookie(&http.Cookie{Name: "voter", Value: v.cookie})
	v.may |= outcome(poll.A)
	started := time.Now()
	response, err := newClient(patience).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`role="alert"`, "choose again", `<button class="option a"`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" ||
		strings.Contains(string(page), "Thank you") {
		t.Errorf("answered with %d, Retry-After %q:\n%s", response.StatusCode, response.Header.Get("Retry-After"), page)
	}
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("the voter waited %s for it", took)
	}
}

// voteUntilAcknowledged votes again and again, as a voter does who is asked to.
func voteUntilAcknowledged(t testing.TB, v *voter, frontend *programtest.Program) {
	t.Helper()
	eventually(t, "the vote is taken", func() error {
		err := v.vote(t.Context(), newClient(patience), frontend.URL, poll.B)
		if err != nil && !errors.Is(err, errUncertain) {
			t.Fatal(err)
		}
		return err
	})
}

// Redis is killed, and then it hangs: voters are told so, and when it is back they are counted, without any help.
func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	s.addWorker(t)
	s.addResults(t)
	voters := newVoters(t, frontend, 6)
	server := s.redis[0]
	for name, event := range map[string]struct{ begin, end func() }{
		"killed": {server.Kill, func() { server.Restart(t) }},
		"hangs":  {func() { server.Pause(t) }, func() { server.Resume(t) }},
	} {
		event.begin()
		wantHonestRefusal(t, voters[0], frontend)
		wantHonestRefusal(t, voters[1], frontend)
		eventually(t, name+": the frontend says that it is not ready", func() error {
			if err := ready(t, frontend); err == nil {
				return errors.New("it says that it is")
			}
			return nil
		})
		event.end()
		for _, v := range voters[:5] {
			voteUntilAcknowledged(t, v, frontend)
		}
		eventually(t, name+": the frontend is ready", func() error { return ready(t, frontend) })
	}
	if err := voters[5].vote(t.Context(), newClient(patience), frontend.URL, poll.A); err != nil {
		t.Fatal(err)
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, voters)
}

// Redis is full before there ever was a worker. Voters are told so; once a worker comes, it makes room by itself, and all
// that was acknowledged is counted.
func TestRedisIsOutOfMemory(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	s.addResults(t)
	eventually(t, "the frontend is ready", func() error { return ready(t, frontend) }) // as the load balancer asks
	voters := newVoters(t, frontend, 20)
	client := newClient(patience)
	cast := func() (refused int) {
		for i, v := range voters {
			err := v.vote(t.Context(), client, frontend.URL, poll.Choices()[i%2])
			if errors.Is(err, errUncertain) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return refused
	}
	if refused := cast(); refused != 0 {
		t.Fatalf("%d votes were refused while there was room", refused)
	}
	s.redis[0].Do(t, "CONFIG", "SET", "maxmemory", "1")
	if refused := cast(); refused != len(voters) {
		t.Errorf("%d of %d votes were refused by a full redis, want all", refused, len(voters))
	}
	wantHonestRefusal(t, voters[0], frontend)
	worker := s.addWorker(t)
	s.waitUntilDrained(t)
	s.checkBooks(t, voters)
	s.redis[0].Do(t, "CONFIG", "SET", "maxmemory", "0")
	eventually(t, "the worker is ready", func() error { return ready(t, worker) })
	for _, v := range voters {
		voteUntilAcknowledged(t, v, frontend)
	}
	s.waitUntilDrained(t)
	if counted := s.checkBooks(t, voters); counted != (poll.Tally{B: int64(len(voters))}) {
		t.Errorf("%+v are counted, want all for b", counted)
	}
}

// The database's disk is full: votes wait in the queue, and are stored when there is room again.
func TestDatabaseDiskIsFull(t *testing.T) {
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
		t.Skipf("a small disk cannot be mounted here (%v): it takes root", err)
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
	voters := newVoters(t, frontend, 2000)
	cast := func(voters []*voter) {
		client := newClient(patience)
		for i, v := range voters {
			if err := v.vote(t.Context(), client, frontend.URL, poll.Choices()[i%2]); err != nil {
				t.Fatalf("a vote was not taken, although the queue has room: %v", err)
			}
		}
	}
	cast(voters[:100])
	s.waitUntilDrained(t)

	ballast := filepath.Join(directory, "ballast")
	fill(t, ballast)
	cast(voters)
	eventually(t, "the worker says that it cannot store", func() error {
		if err := ready(t, worker); err == nil || !strings.Contains(err.Error(), "postgres") {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
	if status, body, err := ask(t, worker.URL+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("a worker that waits for its database is healthy, but says %d %s (%v)", status, body, err)
	}
	if queued, err := s.queued(); err != nil || queued == 0 {
		t.Errorf("%d votes are queued (%v), want those that cannot be stored", queued, err)
	}
	cast(voters[:100])

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queues are empty", func() error {
		if s.postgres.Ended() { // it may end when it cannot write; its restart policy starts it again
			s.postgres.Restart(t)
		}
		queued, err := s.queued()
		if err == nil && queued > 0 {
			err = fmt.Errorf("%d entries are queued", queued)
		}
		return err
	})
	if counted := s.checkBooks(t, voters); counted.Total() != int64(len(voters)) {
		t.Errorf("%d voters are counted, want %d", counted.Total(), len(voters))
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

// Entries that are no votes go to a stream of their own, whole, with a metric and a line in the log; the votes around them
// are counted.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	frontend := s.addFrontend(t)
	worker := s.addWorker(t)
	s.addResults(t)
	voters := newVoters(t, frontend, 10)
	client := newClient(patience)
	none := fmt.Sprintf("poll_worker_entries_unreadable_total{queue=%q} 0\n", s.redis[0].Address)
	if _, metrics, err := ask(t, worker.Metrics+"/metrics"); err != nil || !strings.Contains(metrics, none) {
		t.Errorf("before the first one the metrics lack %q (%v)", none, err)
	}
	hostile := "'); DROP TABLE votes; -- <script>alert(1)</script> \x00\xff"
	for i, v := range voters {
		id := voters[(i+1)%len(voters)].id.String()
		s.redis[0].Do(t, "XADD", redis.Stream, "*", "votes", id+" "+hostile+" 1\n")
		s.redis[0].Do(t, "XADD", redis.Stream, "*", "votes", hostile+" a 1\n")
		s.redis[0].Do(t, "XADD", redis.Stream, "*", hostile, hostile)
		if err := v.vote(t.Context(), client, frontend.URL, poll.B); err != nil {
			t.Fatal(err)
		}
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, voters)
	want := 3 * len(voters)
	if got := s.redis[0].Do(t, "XLEN", redis.DeadLetterStream); got != fmt.Sprint(want) {
		t.Errorf("%s entries were set aside, want %d", got, want)
	}
	for _, line := range []string{
		fmt.Sprintf("poll_worker_entries_unreadable_total{queue=%q} %d", s.redis[0].Address, want),
		fmt.Sprintf("poll_worker_dead_letters{queue=%q} %d", s.redis[0].Address, want),
	} {
		eventually(t, "the metrics say "+line, func() error {
			_, metrics, err := ask(t, worker.Metrics+"/metrics")
			if err == nil && !strings.Contains(metrics, line+"\n") {
				err = errors.New("they do not")
			}
			return err
		})
	}
	if got := strings.Count(worker.Log.String(), "cannot be read as votes"); got != want {
		t.Errorf("the log has %d lines about them, want %d", got, want)
	}
	s.checkLogs(t, voters)
}
