package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnotherRunOfAptIsWaitedFor runs install_package with a fake apt-get. A new machine reads its lists of packages by itself, and
// apt-get's own option waits for the packages' lock only.
func TestAnotherRunOfAptIsWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		complaint string
		fails     bool
		runs      int
	}{
		"the lists are locked": {"E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)", false, 4},
		"there is no space":    {"E: You don't have enough free space in /var/cache/apt/archives/.", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			runs := filepath.Join(folder, "runs")
			for program, text := range map[string]string{
				"apt-get": "echo \"$@\" >>" + runs + "\n[ \"$(wc -l <" + runs + ")\" -gt 2 ] || { echo '" + strings.ReplaceAll(test.complaint, "'", "'\\''") + "'; exit 100; }",
				"sleep":   "", "cloud-init": "",
			} {
				if err := os.WriteFile(filepath.Join(folder, program), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			functions := strings.ReplaceAll(Functions, "/var/log/", folder+"/")
			command := exec.Command("bash", "-c", "set -euo pipefail\noutside() { \"$@\"; }\n"+functions+"\ninstall_package xfsprogs")
			command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
			output, err := command.CombinedOutput()
			if (err != nil) != test.fails || test.fails && !strings.Contains(string(output), test.complaint) {
				t.Errorf("%v\n%s", err, output)
			}
			asked, _ := os.ReadFile(runs)
			if got := strings.Count(string(asked), "\n"); got != test.runs {
				t.Errorf("apt-get ran %d times, want %d:\n%s", got, test.runs, asked)
			}
		})
	}
}
