package bench

import (
	"os"
	"testing"

	"swarm-scale/test/programtest"
)

// TestImageSize measures the images. Each is its program and nothing else. The figure does not depend on load, so it is
// always judged.
func TestImageSize(t *testing.T) {
	parallelUnlessFull(t)
	for _, name := range []string{programtest.WebVoteApp, programtest.VoteWorker, programtest.ResultsApp} {
		program, err := os.Stat(programtest.Path(t, name))
		if err != nil {
			t.Fatal(err)
		}
		f := figure{"size of the image " + name, mebibytes(program.Size()), atMost(15), "MiB", ""}
		report(t, f)
		if !f.target.met(f.value) {
			t.Errorf("%s has %d bytes, want 15 MiB at most", name, program.Size())
		}
	}
}
