package bench

import (
	"testing"
	"time"

	"swarm-scale/poll/redistest"
)

// manyConnections is how many voters are connected to one vote page at once when its memory is measured.
const manyConnections = 2000

// TestVoteAppMemory measures the memory of the vote page while many connections vote at full speed.
func TestVoteAppMemory(t *testing.T) {
	frontend := startFrontend(t, redistest.Start(t))
	crowd := gather(t, host(frontend), manyConnections)
	run, err := crowd.FullSpeed(t.Context(), length(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if run.Answers == 0 {
		t.Fatal("no vote was taken")
	}
	peak, err := frontend.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	report(t, figure{"web-vote-app's memory, 2,000 connections voting", mebibytes(peak), atMost(64), "MiB", "peak"})
}
