package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/infra/packages"
	"swarm-scale/test/script"
)

// readyOn runs ready.sh as the store, on a machine with this processor. After the checks of the machine itself it always fails.
func readyOn(t *testing.T, processor string, variables ...string) (string, error) {
	t.Helper()
	fakes := t.TempDir()
	script.Fake(t, fakes, map[string]string{
		"uname":    "#!/bin/sh\nif [ \"$1\" = -m ]; then echo " + processor + "; else echo 5.15.0; fi\n",
		"ip":       "#!/bin/sh\nexit 1\n",
		"hostname": "#!/bin/sh\necho store\n",
	})
	return script.Run(t, packages.Functions+MachineFunctions+readyScript, "create", fakes, append(variables, "NODE_NAME=store", "PRIVATE_ADDRESS=10.0.0.1")...)
}

// TestMachineWithoutEnoughMemoryIsRefused holds what a member is told whose containers may use more memory than Swarm gives out there.
func TestMachineWithoutEnoughMemoryIsRefused(t *testing.T) {
	meminfo := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(meminfo, []byte("MemTotal:         983552 kB\nMemFree:          155752 kB\n"), 0o600); err != nil { // a t2.micro's
		t.Fatal(err)
	}
	for need, refused := range map[string]bool{"0": false, "960": false, "1007": false, "1009": true, "1584": true} {
		output, err := readyOn(t, "x86_64", "MEMINFO="+meminfo, "MEMORY="+need)
		if err == nil || strings.Contains(output, "store has 960 MiB of memory, and its containers may use "+need+" MiB") != refused {
			t.Errorf("for %s MiB: %v\n%s", need, err, output)
		}
	}
}

// TestMachineOfAnotherArchitectureIsRefused holds what a node that runs the programs is told if it cannot.
func TestMachineOfAnotherArchitectureIsRefused(t *testing.T) {
	for _, test := range []struct{ machine, architecture, refusal string }{
		{"x86_64", "amd64", ""}, {"aarch64", "arm64", ""}, {"aarch64", "", ""},
		{"aarch64", "amd64", "store is arm64, and the programs are built for amd64"}, {"x86_64", "arm64", "store is amd64"}, {"riscv64", "amd64", "store is riscv64"},
	} {
		output, err := readyOn(t, test.machine, "ARCHITECTURE="+test.architecture, "MEMORY=0")
		if refused := strings.Contains(output, "programs are built for"); err == nil || refused != (test.refusal != "") || !strings.Contains(output, test.refusal) {
			t.Errorf("%s for programs of %q: %v\n%s", test.machine, test.architecture, err, output)
		}
	}
}

// TestHealthIsAwaited holds that the wait ends with the health, and that a failure has the container's last words.
func TestHealthIsAwaited(t *testing.T) {
	for _, test := range []struct {
		name, states string // the health at each look; the last one stays
		fails        bool
	}{{"at once", "healthy", false}, {"after a while", "starting unhealthy healthy", false}, {"never", "starting unhealthy", true}, {"gone", "missing", true}} {
		fakes := t.TempDir()
		if err := os.WriteFile(filepath.Join(fakes, "states"), []byte(strings.ReplaceAll(test.states, " ", "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		docker := `#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
*"inspect --format {{with .State.Health}}{{.Status}}"*)
	state=$(head -n 1 states)
	[ "$(wc -l <states)" -eq 1 ] || sed -i 1d states
	[ "$state" != missing ] || exit 1
	echo "$state" ;;
*"inspect --format {{.State.Status}}"*) echo running ;;
*"range .Log"*) echo "the queue refuses writes" ;;
*"logs --tail"*) echo "no space left on device" ;;
esac
`
		script.Fake(t, fakes, map[string]string{"docker": docker})
		wait := "60" // long enough for a busy machine
		if test.fails {
			wait = "2"
		}
		output, err := script.Run(t, "WORKLOADS_HOST=unix:///var/run/docker.sock\n"+WorkloadFunctions+awaitHealthScript, "create", fakes, "WORKLOAD=frontend01", "WORKLOAD_ID=1", "WAIT="+wait)
		if (err != nil) != test.fails {
			t.Errorf("%s: %v\n%s", test.name, err, output)
		}
		for _, words := range []string{"its check says: the queue refuses writes", "its log ends:   no space left on device", "after " + wait + " s frontend01 is "} {
			if strings.Contains(output, words) != test.fails {
				t.Errorf("%s: the output says %q: %v, want %v:\n%s", test.name, words, !test.fails, test.fails, output)
			}
		}
	}
}

// TestDiskHasTheEnginesVolumes runs the script of a data disk with a folder for the disk's file system. It holds that an empty disk is
// formatted and gets what the engine has, that one of an earlier machine is taken as it is, and that nothing else is formatted.
func TestDiskHasTheEnginesVolumes(t *testing.T) {
	for _, test := range []struct {
		name     string
		before   string // what blkid finds on the disk: none, xfs, ext4
		onDisk   bool   // an earlier machine's volume is on the disk
		onEngine bool   // an engine runs, and has a volume
		fails    bool
		calls    []string // of mkfs.xfs and systemctl, in this order
		volumes  []string // afterwards
	}{
		{"new machine, new disk", "none", false, false, false, []string{"mkfs.xfs", "systemctl daemon-reload"}, nil},
		{"new machine, disk of an earlier one", "xfs", true, false, false, []string{"systemctl daemon-reload"}, []string{"earlier"}},
		{"an earlier version's machine", "none", false, true, false,
			[]string{"mkfs.xfs", "systemctl stop docker.socket docker", "systemctl daemon-reload", "systemctl start docker"}, []string{"engine"}},
		{"an earlier one's disk is not mixed with the engine's", "xfs", true, true, false,
			[]string{"systemctl stop docker.socket docker", "systemctl daemon-reload", "systemctl start docker"}, []string{"earlier"}},
		{"something else", "ext4", true, false, true, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			fakes, etc, disk, volumes := filepath.Join(root, "fakes"), filepath.Join(root, "etc"), filepath.Join(root, "disk"), filepath.Join(root, "docker", "volumes")
			write := func(path, text string) {
				t.Helper()
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
					t.Fatal(err)
				}
			}
			write(filepath.Join(root, "device"), "")
			write(filepath.Join(root, "kind"), test.before)
			write(filepath.Join(etc, "fstab"), "LABEL=root / ext4 defaults 0 1\nUUID=old "+volumes+" xfs nofail 0 2\n")
			if err := os.MkdirAll(disk, 0o755); err != nil {
				t.Fatal(err)
			}
			if test.onDisk {
				write(filepath.Join(disk, "earlier", "votes"), "42")
				write(filepath.Join(disk, ".swarm-scale-copied"), "")
			}
			if test.onEngine {
				write(filepath.Join(volumes, "engine", "votes"), "7")
			}
			for name, text := range map[string]string{
				"blkid": `case "$*" in
*UUID*) echo new ;;
*) kind=$(cat "$ROOT/kind"); [ "$kind" != none ] || exit 2; echo "$kind" ;;
esac`,
				"mkfs.xfs":   `echo mkfs.xfs >>"$ROOT/calls"; printf xfs >"$ROOT/kind"`,
				"mountpoint": `[ -L "$2" ]`,
				// A mounted disk is a link to its folder.
				"mount":  `if [ $# -eq 2 ]; then rmdir "$2" && ln -s "$ROOT/disk" "$2"; else rm -r "$3" && ln -s "$ROOT/disk" "$3"; fi`,
				"umount": `rm "$1" && mkdir "$1"`,
				"systemctl": `[ "$1" != cat ] || exit ` + map[bool]string{true: "0", false: "1"}[test.onEngine] + `
echo "systemctl $*" >>"$ROOT/calls"`,
				"service":    `echo "systemctl $2 docker" >>"$ROOT/calls"`, // where there is no systemd
				"xfs_growfs": "", "df": "echo; echo 16G",
			} {
				write(filepath.Join(fakes, name), "#!/bin/sh\n"+text+"\n")
			}
			write(filepath.Join(root, "calls"), "")
			text := strings.ReplaceAll(RestartFunctions, "/run/systemd/system", root) + diskScript // as on a machine with systemd
			output, err := script.Run(t, text, "create", fakes, "ROOT="+root, "ETC="+etc, "NODE_NAME=store", "DISK=vol-1", "DISK_SIZE=16", "DISK_WAIT=1",
				"DEVICES=/dev/nothing-here "+filepath.Join(root, "device"), "FOLDER="+volumes)
			if (err != nil) != test.fails {
				t.Fatalf("%v\n%s", err, output)
			}
			calls, _ := os.ReadFile(filepath.Join(root, "calls"))
			if got := strings.TrimSpace(string(calls)); got != strings.Join(test.calls, "\n") {
				t.Errorf("it calls\n%s\nwant\n%s", got, strings.Join(test.calls, "\n"))
			}
			if test.fails {
				return
			}
			var got []string
			entries, err := os.ReadDir(volumes)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if entry.IsDir() {
					got = append(got, entry.Name())
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.volumes) {
				t.Errorf("the engine has the volumes %q, want %q\n%s", got, test.volumes, output)
			}
			fstab, _ := os.ReadFile(filepath.Join(etc, "fstab"))
			if !strings.Contains(string(fstab), "UUID=new "+volumes+" xfs nofail") || strings.Contains(string(fstab), "UUID=old") || !strings.Contains(string(fstab), "LABEL=root / ext4") {
				t.Errorf("fstab is\n%s", fstab)
			}
			if unit, _ := os.ReadFile(filepath.Join(etc, "systemd/system/docker.service.d/swarm-scale-disk.conf")); !strings.Contains(string(unit), "RequiresMountsFor="+volumes) {
				t.Errorf("the engine may start without the disk: %q", unit)
			}
			// Again, it changes nothing.
			if output, err := script.Run(t, text, "create", fakes, "ROOT="+root, "ETC="+etc, "NODE_NAME=store", "DISK=vol-1", "DISK_SIZE=16",
				"DEVICES="+filepath.Join(root, "device"), "FOLDER="+volumes); err != nil {
				t.Errorf("a second time: %v\n%s", err, output)
			}
			if again, _ := os.ReadFile(filepath.Join(root, "calls")); string(again) != string(calls) {
				t.Errorf("a second time it calls\n%s", again)
			}
		})
	}
}

// TestMachineIsAskedForWholeNames runs the questions to the machine. One answer is longer than a pipe holds, so that whoever stops
// reading early breaks it. Others have the name that is asked for as a part of a longer one.
func TestMachineIsAskedForWholeNames(t *testing.T) {
	var addresses strings.Builder
	fmt.Fprintln(&addresses, "2: eth0    inet 192.168.33.20/24 brd 192.168.33.255 scope global eth0\\       valid_lft forever preferred_lft forever")
	fmt.Fprintln(&addresses, "3: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0\\       valid_lft forever preferred_lft forever")
	for i := range 2000 {
		fmt.Fprintf(&addresses, "2: eth0    inet 10.%d.%d.117/32 scope global eth0\\       valid_lft forever preferred_lft forever\n", i/250, i%250)
	}
	fakes := t.TempDir()
	script.Fake(t, fakes, map[string]string{
		"addresses": addresses.String(),
		"ip":        "#!/bin/sh\n[ \"$*\" = '-o -4 address show' ] && cat " + fakes + "/addresses\n",
		"id":        "#!/bin/sh\ncase \"$*\" in\n'-nG in') echo users docker adm ;;\n'-nG out') echo docker-users my.docker ;;\nesac\n",
		"hosts":     "127.0.0.1 localhost store.example.com\n192.168.33.9 old-store other\n# 192.168.33.250 store\n",
		"unended":   "127.0.0.1 localhost",
		"known":     "192.168.33.250\tshop store # ours\n",
	})
	for question, want := range map[string]string{
		"has_address 192.168.33.20": "yes",
		"has_address 10.7.249.117":  "yes",
		"has_address 10.8.0.1":      "yes",
		"has_address 10.8.0.2":      "no", // the other end's
		"has_address 192.168.33.2":  "no",
		"has_address 0.0.0.117":     "no",
		"member_of docker in":       "yes",
		"member_of docker out":      "no",
	} {
		// Many times, because what is wrong with pipes is a matter of luck.
		output, err := script.Run(t, MachineFunctions+"for _ in $(seq 25); do if "+question+"; then echo yes; else echo no; fi; done", "create", fakes)
		if err != nil || output != strings.Repeat(want+"\n", 25) {
			t.Errorf("%s: %v\n%swant %q 25 times", question, err, output, want)
		}
	}
	for file, want := range map[string]string{
		"hosts":   "127.0.0.1 localhost store.example.com\n192.168.33.9 old-store other\n# 192.168.33.250 store\n127.0.1.1 store\n",
		"unended": "127.0.0.1 localhost\n127.0.1.1 store\n",
		"known":   "192.168.33.250\tshop store # ours\n",
		"absent":  "127.0.1.1 store\n",
	} {
		path := filepath.Join(fakes, file)
		if output, err := script.Run(t, MachineFunctions+"name_host store "+path+"\nname_host store "+path, "create", fakes); err != nil {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, got, want)
		}
	}
}

// TestNodeKeepsItsKindOfCluster holds that a node which is in a cluster is not made one of another kind.
func TestNodeKeepsItsKindOfCluster(t *testing.T) {
	for name, test := range map[string]struct {
		notes   map[string]string // the files of state, by what follows the first one's name
		cluster string
		refused bool
	}{
		"a new machine":                       {nil, "swarm-mode", false},
		"the same kind":                       {map[string]string{"": "id", "-kind": "swarm-mode"}, "swarm-mode", false},
		"another kind":                        {map[string]string{"": "id", "-kind": "standalone"}, "swarm-mode", true},
		"back":                                {map[string]string{"": "id", "-kind": "swarm-mode"}, "standalone", true},
		"of a version that knew no other":     {map[string]string{"": "id"}, "swarm-mode", true},
		"of that version, as it was":          {map[string]string{"": "id"}, "standalone", false},
		"interrupted before it was installed": {map[string]string{"-kind": "swarm-mode"}, "swarm-mode", false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			notes := filepath.Join(folder, "docker", ".swarm-scale")
			if err := os.Mkdir(filepath.Dir(notes), 0o700); err != nil {
				t.Fatal(err)
			}
			for suffix, text := range test.notes {
				script.Fake(t, filepath.Dir(notes), map[string]string{filepath.Base(notes) + suffix: text + "\n"})
			}
			text := "fail() { echo \"engine: $*\" >&2; exit 1; }\n" + configureScript
			output, err := script.Run(t, text, "create", folder, "NODE_NAME=store", "NOTES="+notes, "CLUSTER="+test.cluster)
			if (err != nil) != test.refused || strings.Contains(output, "store is in a cluster of the kind") != test.refused {
				t.Errorf("%v: %s", err, output)
			}
			if kind, _ := os.ReadFile(notes + "-kind"); !test.refused && string(kind) != test.cluster+"\n" {
				t.Errorf("the node's kind is %q", kind)
			}
		})
	}
}
