package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"swarm-scale/settings"
	"swarm-scale/test/harness"
)

// TestRun runs the whole demonstration in an instant world, with each kind of cluster.
func TestRun(t *testing.T) {
	for _, cluster := range settings.Clusters() {
		t.Run(string(cluster), func(t *testing.T) { testRun(t, cluster) })
	}
}

func testRun(t *testing.T, cluster settings.Cluster) {
	var output bytes.Buffer
	err := run(t.Context(), flags{cluster: cluster, frontends: 1, workers: 1}, &output)
	if errors.Is(err, harness.ErrNoCLI) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v after\n%s", err, output.String())
	}
	text := output.String()
	for _, part := range []string{
		"every cloud and machine below is simulated", "1/5 Preview", "5/5 Destroy", "voteUrl: http://votingapp.local",
		"create     1  ec2 Instance                   frontend02", "Nothing is left", "All as it should be",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	if strings.Contains(text, "correct horse") {
		t.Error("the database's password is shown")
	}
}
