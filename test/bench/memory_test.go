package bench

import (
	"fmt"
	"testing"
	"time"

	"swarm-scale/test/redistest"
)

// manyConnections is how many voters are connected to one vote page at once when its memory is measured.
const manyConnections = 2000

// TestVoteAppMemory measures the memory of the vote page while many connections vote: at half of what it can do, and, for
// the remark, as fast as they can, when every one of them always has a vote on the way.
func TestVoteAppMemory(t *testing.T) {
	takeTurns(t)
	redis := redistest.Start(t)
	frontend := startFrontend(t, redis)
	some := gather(t, host(frontend), connections(acceptConnections))
	half := fullSpeed(t, some).Rate() / 2
	some.Disperse()
	redis.Do(t, "DEL", "votes")

	frontend = startFrontend(t, redis)
	count := connections(manyConnections)
	crowd := gather(t, host(frontend), count)
	if _, err := crowd.Rate(t.Context(), half, length(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	steady, err := frontend.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	fullSpeed(t, crowd)
	flooded, err := frontend.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	report(t, figure{fmt.Sprintf("web-vote-app's memory, %d connections voting at half load", count),
		mebibytes(steady), atMost(64), "MiB", fmt.Sprintf("peak; %.0f MiB when all vote as fast as they can", mebibytes(flooded))})
}
