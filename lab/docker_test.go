package lab

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// fakeDocker puts a docker on PATH that answers with the branches of a shell's case on its arguments. The function that it returns
// lists the calls so far.
func fakeDocker(t *testing.T, answers string) func() []string {
	t.Helper()
	folder := t.TempDir()
	calls := filepath.Join(folder, "calls")
	script := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>" + calls + "\ncase \"$*\" in\n" + answers + "\nesac\n"
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return func() []string {
		content, err := os.ReadFile(calls)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(content)), "\n")
	}
}

func TestDockerErrorsHaveCommandAndReason(t *testing.T) {
	fakeDocker(t, `"version"*) echo "  20.10  "; ;;
*) echo "it is broken" >&2; exit 3 ;;`)
	if output, err := (docker{}).run(t.Context(), "version"); err != nil || output != "20.10" {
		t.Errorf("docker version gives %q, %v", output, err)
	}
	if _, err := (docker{}).run(t.Context(), "network", "ls"); err == nil || err.Error() != "docker network ls: it is broken" {
		t.Errorf("docker network ls fails with %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := (docker{}).run(t.Context(), "version"); !errors.Is(err, errNoDocker) {
		t.Errorf("without a docker: %v, want %v", err, errNoDocker)
	}
}

func TestHostMethodsCallDocker(t *testing.T) {
	calls := fakeDocker(t, `*) ;;`)
	host := New(Options{Folder: t.TempDir()}).Host("store")
	ctx := t.Context()
	_, runErr := host.Run(ctx, "hostname")
	_, dockerErr := host.Docker(ctx, "ps", "--all")
	if err := errors.Join(runErr, dockerErr, host.Stop(ctx), host.Kill(ctx), host.Pause(ctx), host.Unpause(ctx)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"exec swarm-scale-lab-store bash -c hostname",
		"exec --env DOCKER_HOST=unix:///var/run/docker.sock swarm-scale-lab-store docker ps --all",
		"stop --time 60 swarm-scale-lab-store",
		"kill swarm-scale-lab-store",
		"pause swarm-scale-lab-store",
		"unpause swarm-scale-lab-store",
	}
	if got := calls(); !reflect.DeepEqual(got, want) {
		t.Errorf("docker's calls are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestStatusShowsHealth holds that the list of machines tells which containers are not healthy.
func TestStatusShowsHealth(t *testing.T) {
	fakeDocker(t, `"container ls"*) echo "swarm-scale-lab-store	Up 2 hours" ;;
*"ps --all --format {{.Names}} ({{.Status}})"*) printf 'pg (Up 2 hours (unhealthy))\nresults-app (Restarting (1) 3 seconds ago)' ;;`)
	var output strings.Builder
	if err := New(Options{Folder: t.TempDir()}).Status(t.Context(), &output); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(output.String(), "pg (Up 2 hours (unhealthy)), results-app (Restarting (1) 3 seconds ago)") || !strings.Contains(output.String(), "not there") {
		t.Errorf("the status is\n%s", output.String())
	}
}
