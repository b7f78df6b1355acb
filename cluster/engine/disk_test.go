package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/infra/packages"
)

// TestDiskOutlivesItsMachine runs the script of a data disk on a real disk: a file behind a loop device, with the real xfs. A machine
// of an earlier version has votes on a volume. They move to the disk, and the next two machines, one with a larger disk, find them.
func TestDiskOutlivesItsMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is not root, who alone can mount a disk")
	}
	for _, program := range []string{"losetup", "unshare", "mkfs.xfs"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: on Debian, apt-get install xfsprogs util-linux mount", program)
		}
	}
	root := t.TempDir()
	file := filepath.Join(root, "disk")
	grow := func(size int64) {
		t.Helper()
		disk, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = disk.Close() }()
		if err := disk.Truncate(size << 20); err != nil {
			t.Fatal(err)
		}
	}
	grow(320) // MiB; xfs needs 300
	output, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device can be had here: %s", output)
	}
	device := strings.TrimSpace(string(output))
	t.Cleanup(func() {
		if output, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, output)
		}
	})

	// machine runs the script on a new machine, and then a command in the folder of its volumes.
	machine := func(name, command string) string {
		t.Helper()
		own := filepath.Join(root, name)
		volumes := filepath.Join(own, "docker", "volumes")
		fakes := filepath.Join(own, "fakes")
		for path, text := range map[string]string{
			filepath.Join(own, "etc", "fstab"): "LABEL=root / ext4 defaults 0 1\n",
			filepath.Join(fakes, "systemctl"):  "#!/bin/sh\n[ \"$1\" != cat ]\n", // there is no engine yet
		} {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if name == "first" {
			if err := os.MkdirAll(filepath.Join(volumes, "pg-data"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(volumes, "pg-data", "votes"), []byte("42"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// In a mount namespace of its own, so that the disk is free when the machine is gone.
		text := "set -euo pipefail\noutside() { \"$@\"; }\n" + packages.Functions + RestartFunctions + "(\n" + diskScript + "\n)\ncd \"$FOLDER\"\n" + command
		run := exec.Command("unshare", "--mount", "bash", "-c", text, "script", "create")
		run.Env = append(os.Environ(), "PATH="+fakes+":"+os.Getenv("PATH"), "ETC="+filepath.Join(own, "etc"), "NODE_NAME=store", "DISK=vol-1",
			"DISK_SIZE=16", "DISK_WAIT=1", "DEVICES="+device, "FOLDER="+volumes)
		output, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s machine: %v\n%s", name, err, output)
		}
		return string(output)
	}
	if output := machine("first", "cat pg-data/votes; findmnt --noheadings --output FSTYPE --target ."); !strings.HasSuffix(output, "42xfs\n") {
		t.Errorf("the first machine's volume is not on the disk:\n%s", output)
	}
	if output := machine("second", "cat pg-data/votes; echo 43 >pg-data/votes"); !strings.HasSuffix(output, "42") {
		t.Errorf("the second machine does not have the first one's volume:\n%s", output)
	}
	grow(640)
	if output, err := exec.Command("losetup", "--set-capacity", device).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	output3 := machine("third", "cat pg-data/votes; df --output=size --block-size=1M . | tail -n 1")
	if lines := strings.Fields(output3); lines[len(lines)-2] != "43" || len(lines[len(lines)-1]) != 3 || lines[len(lines)-1] < "500" {
		t.Errorf("the third machine has neither the second one's volume nor all of the larger disk:\n%s", output3)
	}
}
