package acceptance

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"swarm-scale/test/programtest"
)

// compose.yaml runs what the cluster runs: the same versions of the stock images, and programs built from the same contexts.
func TestComposeRunsWhatTheClusterRuns(t *testing.T) {
	var project struct {
		Config map[string]struct{ Default any }
	}
	readYAML(t, "../../Pulumi.yaml", &project)
	var compose struct {
		Services map[string]struct{ Image, Build string }
	}
	readYAML(t, "../../compose.yaml", &compose)
	for service, setting := range map[string]string{"redis": "redisImage", "pg": "postgresImage", "loadbalancer": "haproxyImage"} {
		want := project.Config[setting].Default
		if got := compose.Services[service].Image; got == "" || got != want {
			t.Errorf("service %s has the image %q, want the cluster's %v", service, got, want)
		}
	}
	for service, program := range map[string]string{"frontend": programtest.WebVoteApp, "worker": programtest.VoteWorker,
		"results": programtest.ResultsApp} {
		if got := compose.Services[service]; got.Build != ".build/"+program || got.Image != program {
			t.Errorf("service %s is built from %q as %q, want .build/%s", service, got.Build, got.Image, program)
		}
	}
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for _, secret := range []string{"POSTGRES_PASSWORD:", "VOTER_KEY:"} {
			if _, value, found := strings.Cut(line, secret); found && !strings.HasPrefix(value, " ${") {
				t.Errorf("compose.yaml has a secret, want a variable: %s", line)
			}
		}
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
