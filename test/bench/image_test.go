package bench

import (
	"os"
	"testing"

	"swarm-scale/test/programtest"
)

// TestImageSize measures the images: each is its program and nothing else. This one is judged always.
func TestImageSize(t *testing.T) {
	takeTurns(t)
	for _, name := range []string{programtest.WebVoteApp, programtest.VoteWorker, programtest.ResultsApp} {
		program, err := os.Stat(programtest.Path(t, name))
		if err != nil {
			t.Fatal(err)
		}
		f := figure{"size of the image " + name, mebibytes(program.Size()), atMost(15), "MiB", ""}
		report(t, f)
		if !f.target.met(f.value) {
			t.Errorf("%s has %d bytes, want at most 15 MiB", name, program.Size())
		}
	}
}
