package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// info is docker info's answer for an engine that can run the lab.
const info = `{"ServerVersion":"20.10.24","OSType":"linux","OperatingSystem":"Debian","SecurityOptions":["name=seccomp"]}`

// wellEngine answers as an engine that has everything, and no lab.
const wellEngine = `"info"*) echo '` + info + `' ;;
"network inspect"*) exit 1 ;;
"image inspect"*) echo sha256:one ;;
"run --rm"*) echo complete ;;`

func TestMissingNamesEveryPart(t *testing.T) {
	for _, test := range []struct {
		name, answers string
		want          []string // a part of each line
	}{
		{"nothing", wellEngine, nil},
		{"an engine", `*) echo "Cannot connect to the Docker daemon" >&2; exit 1 ;;`,
			[]string{"docker does not reach an engine: start it"}},
		{"the rights", `*) echo "permission denied while trying to connect" >&2; exit 1 ;;`,
			[]string{"permission denied"}},
		{"a program alone answers", `"info"*) echo '{"ServerVersion":""}' ;; *) echo "Cannot connect" >&2; exit 1 ;;`,
			[]string{"docker does not reach an engine"}},
		{"Docker Desktop", `"info"*) echo '{"ServerVersion":"28","OSType":"linux","OperatingSystem":"Docker Desktop"}' ;;` + wellEngine,
			[]string{"engine: Docker Desktop runs in a virtual machine"}},
		{"rootless", `"info"*) echo '{"ServerVersion":"28","OSType":"linux","SecurityOptions":["name=seccomp","name=rootless"]}' ;;` + wellEngine,
			[]string{"engine: a rootless engine"}},
		{"another lab", `"network inspect"*) echo 192.168.33.0/24 /labs/two ;;` + wellEngine,
			[]string{"network: the lab of /labs/two is up"}},
		{"the base", `"image inspect"*base*) exit 1 ;; "image inspect"*swarm-scale-lab-host*) exit 1 ;;` + wellEngine,
			[]string{"base the/base:1: neither this machine's engine nor its registry has the image"}},
		{"the base, after it was built on", `"image inspect"*base*) exit 1 ;;` + wellEngine, nil},
		{"an engine that runs containers", `"run --rm"*) echo "no space left on device" >&2; exit 125 ;;` + wellEngine,
			[]string{"base the/base:1: docker cannot run a container of it: correct that first (no space left on device)"}},
		{"the packages", `"run --rm"*) echo incomplete ;; "image inspect"*swarm-scale-lab-host*) exit 1 ;;` + wellEngine,
			[]string{"packages: the base the/base:1 lacks a Docker Engine that fits"}},
		{"two parts", `"image inspect"*swarm:*) exit 1 ;; "image inspect"*redis*) exit 1 ;;` + wellEngine,
			[]string{"image redis:", "image swarm:"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fakeDocker(t, test.answers)
			missing := New(Options{Folder: t.TempDir(), Base: "the/base:1"}).Missing(t.Context())
			// The machine that runs the test may use the lab's addresses, or have little memory.
			var lines []string
			for _, line := range missing {
				if !strings.HasPrefix(line, "network: the interface") && !strings.HasPrefix(line, "memory:") {
					lines = append(lines, line)
				}
			}
			if len(lines) != len(test.want) {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), len(test.want), strings.Join(lines, "\n"))
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) || strings.Contains(lines[i], "\n") {
					t.Errorf("line %q, want one with %q", lines[i], want)
				}
			}
		})
	}
}

func TestMissingNamesDocker(t *testing.T) {
	l := New(Options{Folder: t.TempDir()})
	t.Setenv("PATH", t.TempDir())
	if missing := l.Missing(t.Context()); len(missing) != 1 || missing[0] != errNoDocker.Error() {
		t.Errorf("without a docker: %q", missing)
	}
}

func TestFreeMemoryIsMemAvailable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "meminfo")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("MemTotal:       24683336 kB\nMemFree:         1155752 kB\nMemAvailable:    2097152 kB\n")
	if free, err := freeMemory(file); err != nil || free != 2048 {
		t.Errorf("%d MiB are free (%v), want 2048", free, err)
	}
	write("MemTotal: 1 kB\n")
	if free, err := freeMemory(file); err == nil {
		t.Errorf("without MemAvailable, %d MiB are free", free)
	}
}

func TestRoutesAreThoseThroughAGateway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "route")
	content := "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" + // the default route
		"tun1\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" + // its two halves, as a VPN has it
		"tun1\t00000080\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n" +
		"eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n" + // its own network
		"tun0\t0000A8C0\t0101A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n" // 192.168.0.0/16 through a tunnel
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got := routes(file)
	if len(got) != 1 || got[0].by != "a route by the interface tun0" || got[0].prefix.String() != "192.168.0.0/16" {
		t.Errorf("routes are %v, want 192.168.0.0/16 by tun0 alone", got)
	}
	if len(got) == 1 && !got[0].prefix.Overlaps(subnet) {
		t.Error("192.168.0.0/16 is not seen to have the lab's addresses")
	}
}
