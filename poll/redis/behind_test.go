package redis_test

import (
	"testing"
	"time"

	"swarm-scale/poll/redis"
	"swarm-scale/test/redistest"
)

// TestQueueWithEntriesFromTheFutureIsBehind holds that a queue which is not emptied falls behind, although the clock of Redis was set back and
// its entries are in the future.
func TestQueueWithEntriesFromTheFutureIsBehind(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	backlog, err := redis.NewBacklog(server.Address, "worker01")
	if err != nil {
		t.Fatal(err)
	}
	defer backlog.Close()
	behind := func() time.Duration {
		t.Helper()
		behind, err := backlog.Behind(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return behind
	}
	if got := behind(); got != 0 {
		t.Errorf("an empty queue is %s behind", got)
	}
	server.Do(t, "XADD", redis.Stream, "32503680000000-0", "v", "a")
	behind()
	time.Sleep(50 * time.Millisecond)
	if got := behind(); got < 50*time.Millisecond {
		t.Errorf("a queue that is not emptied is %s behind", got)
	}
	server.Do(t, "XDEL", redis.Stream, "32503680000000-0")
	server.Do(t, "XADD", redis.Stream, "32503680000000-1", "v", "b")
	if got := behind(); got >= 50*time.Millisecond {
		t.Errorf("a queue with a new first entry is %s behind", got)
	}
}
