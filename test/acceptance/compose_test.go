package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	for service, setting := range map[string]string{"redis": "redisImage", "pg": "postgresImage", "roles": "postgresImage", "loadbalancer": "haproxyImage"} {
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
}

// TestComposeGivesSecretsAsFiles holds that no service of compose.yaml has a secret in its environment or in its command, and that
// every file of a secret is one that the service is given.
func TestComposeGivesSecretsAsFiles(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
			Command     []string
			Secrets     []string
		}
		Secrets map[string]struct{ File string }
	}
	readYAML(t, "../../compose.yaml", &compose)
	folder := filepath.Join(t.TempDir(), "secrets")
	variables := filepath.Join(filepath.Dir(folder), "variables")
	const before = "POSTGRES_PASSWORD=the password before\nVOTE_PORT=5002\nVOTER_KEY=the voter key before\n"
	if err := os.WriteFile(variables, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing changes
		output, err := exec.CommandContext(t.Context(), "../../tools/compose/secrets.sh", folder, variables).CombinedOutput()
		if err != nil || len(output) > 0 {
			t.Fatalf("%v: %s", err, output)
		}
		if left, err := os.ReadFile(variables); err != nil || string(left) != "VOTE_PORT=5002\n" {
			t.Errorf("the variables are %q (%v)", left, err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the secrets can be entered by others: %v", info)
	}
	for name, want := range map[string]string{"postgres-password": "the password before\n", "voter-key": "the voter key before\n"} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("the secret %s is %q (%v), want that of the version before", name, got, err)
		}
	}
	for name, secret := range compose.Secrets {
		if want := ".secrets/" + name; secret.File != want {
			t.Errorf("secret %s is in %s, want %s", name, secret.File, want)
		}
		if content, err := os.ReadFile(filepath.Join(folder, name)); err != nil || len(content) < 16 {
			t.Errorf("make images does not make the secret %s: %v", name, err)
		}
	}
	for name, service := range compose.Services {
		for variable, value := range service.Environment {
			path, isPath := strings.CutPrefix(value, "/run/secrets/")
			isSecret := strings.Contains(variable, "PASSWORD") || strings.Contains(variable, "KEY")
			if isSecret && (!isPath || !strings.HasSuffix(variable, "_FILE")) {
				t.Errorf("service %s has %s=%s, want a file", name, variable, value)
			}
			if isPath && !slices.Contains(service.Secrets, path) {
				t.Errorf("service %s is not given the secret %s", name, path)
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
