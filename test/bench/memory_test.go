package bench

import (
	"fmt"
	"testing"
	"time"

	"swarm-scale/test/redistest"
)

// manyConnections is how many connections the vote page has while its memory is measured.
const manyConnections = 2000

// TestVoteAppMemory measures the memory of the vote page while many connections vote at half its full speed. The remark has
// the memory at full speed, when each connection always waits for an answer.
func TestVoteAppMemory(t *testing.T) {
	parallelUnlessFull(t)
	redis := redistest.Start(t, "--appendfsync", "everysec")
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
