package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"swarm-scale/test/script"
)

// run runs a script with bash as a node does, with a fake of docker. Its variables are exported, as on a node.
func run(t *testing.T, text, action string, variables ...string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("the tests do not run as root: only root can give files to another user")
	}
	fakes := t.TempDir()
	// It says what it is asked, and fails if a secret is in its environment.
	const docker = `#!/bin/sh
if [ "$1" = ps ]; then echo running; exit 0; fi
echo "asked: $*"
! env | grep hush
`
	script.Fake(t, fakes, map[string]string{"docker": docker})
	return script.Run(t, text, action, fakes, variables...)
}

// access shows mode and owner of a file or folder: "0440 65532:0".
func access(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%04o %d:%d", info.Mode().Perm(), owner.Uid, owner.Gid)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestFilesAreReadableByTheUserAlone holds mode and owner of every file and folder that a workload gets, also where an earlier
// version left them open, and whatever the umask.
func TestFilesAreReadableByTheUserAlone(t *testing.T) {
	for _, umask := range []string{"000", "022", "077"} {
		base := filepath.Join(t.TempDir(), "swarm-scale")
		secrets, configuration := base+"/worker01.secrets", base+"/worker01"
		if err := os.MkdirAll(configuration, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(configuration+"/queues", []byte("redis01:6379\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		output, err := run(t, "umask "+umask+"\n"+filesScript+secretsScript, "create", "CONTAINER=worker01", "FOLDER="+secrets, "OWNER=65532",
			"FILES=password key", "SECRET_1=hush 'hush' $HOME\\", "SECRET_2=hush-too")
		if err != nil || strings.Contains(output, "hush") || !strings.Contains(output, "secrets: wrote worker01's password key") {
			t.Fatalf("%v\n%s", err, output)
		}
		output, err = run(t, "umask "+umask+"\n"+filesScript+configurationScript, "create", "CONTAINER=worker01", "FOLDER="+configuration, "OWNER=65532",
			"FILE=queues", "INSIDE=/etc/vote-worker", "CONTENT=hush\n", "CHECK=check -f", "RELOAD=reload")
		if err != nil || !strings.Contains(output, "asked: exec worker01 check -f /etc/vote-worker/queues.new\nasked: exec worker01 reload\n") {
			t.Fatalf("%v\n%s", err, output)
		}
		for path, want := range map[string]string{
			base: "0700 0:0", secrets: "0550 65532:0", configuration: "0550 65532:0",
			secrets + "/password": "0440 65532:0", secrets + "/key": "0440 65532:0", configuration + "/queues": "0440 65532:0",
		} {
			if got := access(t, path); got != want {
				t.Errorf("with umask %s %s has mode and owner %s, want %s", umask, path, got, want)
			}
		}
		if got := read(t, secrets+"/password") + "|" + read(t, secrets+"/key") + "|" + read(t, configuration+"/queues"); got != "hush 'hush' $HOME\\|hush-too|hush\n" {
			t.Errorf("the files have %q", got)
		}
	}
}

// TestSecretsThatAreNoMoreAreRemoved holds that a secret which the workload has no more is removed, and in the end all of them.
func TestSecretsThatAreNoMoreAreRemoved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "swarm-scale", "pg.secrets")
	variables := []string{"CONTAINER=pg", "FOLDER=" + folder, "OWNER=0"}
	for _, step := range []struct{ action, files, left string }{{"create", "one two", "one two"}, {"create", "two", "two"}, {"delete", "two", ""}} {
		output, err := run(t, filesScript+secretsScript, step.action, append(variables, "FILES="+step.files, "SECRET_1=hush", "SECRET_2=hush")...)
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		left, _ := os.ReadDir(folder) // missing at the end
		var names []string
		for _, entry := range left {
			names = append(names, entry.Name())
		}
		if strings.Join(names, " ") != step.left {
			t.Errorf("%s %s leaves %v, want %s", step.action, step.files, names, step.left)
		}
	}
}
