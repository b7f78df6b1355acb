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

// TestFirstBootIsAwaited runs await_first_boot with a fake cloud-init. One that was installed after the machine's last start never ends
// by itself, and has no status.
func TestFirstBootIsAwaited(t *testing.T) {
	for name, test := range map[string]struct {
		status string // of cloud-init; 124: it does not end
		file   bool   // cloud-init has noted its status
		says   string // empty: the script goes on
	}{
		"done":              {"0", true, ""},
		"with warnings":     {"2", true, ""},
		"failed":            {"1", true, "the first boot of store failed: look at /var/log/cloud-init-output.log"},
		"under way":         {"124", true, "the first boot of store has not ended after 10 minutes: look at /var/log/cloud-init-output.log"},
		"installed later":   {"124", false, ""},
		"failed, no status": {"1", false, "the first boot of store failed"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for program, text := range map[string]string{
				"cloud-init": "[ " + test.status + " = 124 ] && exec sleep 60\nexit " + test.status,
				"timeout":    "shift\nexec /usr/bin/timeout 0.2 \"$@\"",
			} {
				if err := os.WriteFile(filepath.Join(folder, program), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.file {
				if err := os.WriteFile(filepath.Join(folder, "status.json"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			functions := strings.ReplaceAll(Functions, "/run/cloud-init/", folder+"/")
			command := exec.Command("bash", "-c", "set -euo pipefail\n"+functions+"\nawait_first_boot\necho on")
			command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "NODE_NAME=store")
			output, err := command.CombinedOutput()
			if goesOn := test.says == ""; goesOn != (err == nil) || goesOn != strings.HasSuffix(string(output), "on\n") || !strings.Contains(string(output), test.says) {
				t.Errorf("%v\n%s\nwant %q", err, output, test.says)
			}
		})
	}
}
