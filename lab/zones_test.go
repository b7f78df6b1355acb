package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"swarm-scale/topology"
)

// spread is a lab in three zones, with two nodes in the second one.
func spread(t *testing.T) Options {
	t.Helper()
	return Options{Folder: t.TempDir(), Zones: 3, Counts: topology.Counts{topology.Frontend: 3, topology.Store: 2}}
}

func TestHostsAreSpreadOverTheZones(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		network string
		want    []string
	}{
		{"one zone", Options{Folder: t.TempDir(), Zones: 1}, "192.168.33.0/24", []string{
			"manager 1 192.168.33.11", "interlock 1 192.168.33.12", "frontend01 1 192.168.33.20", "frontend02 1 192.168.33.21",
			"worker01 1 192.168.33.200", "store 1 192.168.33.250"}},
		{"three zones", spread(t), "192.168.32.0/22", []string{
			"manager 1 192.168.33.11", "interlock 1 192.168.33.12", "frontend01 1 192.168.33.20", "frontend02 2 192.168.34.21",
			"frontend03 3 192.168.35.22", "worker01 1 192.168.33.200", "store 1 192.168.33.250", "store02 2 192.168.34.251"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := New(test.options)
			var got []string
			for _, host := range l.Hosts() {
				got = append(got, fmt.Sprintf("%s %d %s", host.Name, host.Zone, host.Address))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("hosts are %q, want %q", got, test.want)
			}
			if network := l.network(); network.String() != test.network || !network.Contains(gateway) || !network.Contains(mirrorAddress) {
				t.Errorf("the network is %s, want %s with gateway and mirror", network, test.network)
			}
			config := l.Config()
			zones, several := config["zones"]
			if several != (test.options.Zones > 1) || several && zones != test.options.Zones {
				t.Errorf("the setting zones is %v, want it for several zones alone", zones)
			}
			for i, one := range config["hosts"].([]any) {
				zone, ok := one.(map[string]any)["zone"]
				if ok != several || ok && zone != l.Hosts()[i].Zone {
					t.Errorf("of %v the zone is %v, want %d for several zones alone", one, zone, l.Hosts()[i].Zone)
				}
			}
			calls := fakeDocker(t, `"network inspect"*) exit 1 ;;`)
			if err := l.makeNetwork(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(calls(), "\n"); !strings.Contains(text, "--subnet "+test.network+" --gateway 192.168.33.1 ") {
				t.Errorf("the network is made with %s", text)
			}
		})
	}
}

func TestZonesAreChosenOnce(t *testing.T) {
	for _, test := range []struct {
		name           string
		asked          int
		variable, file string
		want           int
		fault          string
	}{
		{"a new lab", 0, "", "", 1, ""},
		{"the variable", 0, "3", "", 3, ""},
		{"as last time", 0, "", `{"zones": 3}`, 3, ""},
		{"the variable before last time", 0, "1", `{"zones": 3}`, 1, ""},
		{"the option before both", 3, "1", `{"zones": 1}`, 3, ""},
		{"a lab of an earlier version", 0, "", `{"cluster": "swarm-mode"}`, 1, ""},
		{"two", 2, "", "", 0, "the number of zones is 2: set it to 1 or 3"},
		{"none", -1, "", "", 0, "the number of zones is -1"},
		{"two by the variable", 0, "2", "", 0, "the variable ZONES is 2: set it to 1 or 3"},
		{"no number", 0, "three", "", 0, `the variable ZONES is "three": set it to 1 or 3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("ZONES", test.variable)
			folder := t.TempDir()
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(folder, "lab.json"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := New(Options{Folder: folder, Zones: test.asked})
			if test.fault != "" {
				if missing := l.Missing(t.Context()); len(missing) != 1 || !strings.Contains(missing[0], test.fault) {
					t.Errorf("missing %q, want %q", missing, test.fault)
				}
				for what, err := range map[string]error{"up": l.Up(t.Context()), "cut": l.Cut(t.Context(), 1), "join": l.Join(t.Context(), 1)} {
					if err == nil || !strings.Contains(err.Error(), test.fault) {
						t.Errorf("%s: %v, want %q", what, err, test.fault)
					}
				}
				return
			}
			if l.fault != nil || l.zones != test.want {
				t.Fatalf("%d zones (%v), want %d", l.zones, l.fault, test.want)
			}
			if err := l.writePlan(); err != nil {
				t.Fatal(err)
			}
			t.Setenv("ZONES", "")
			if again := New(Options{Folder: folder}); again.zones != test.want {
				t.Errorf("the lab has %d zones when it is opened again, want %d", again.zones, test.want)
			}
		})
	}
}

// TestUpLeavesNetworkOfOtherZones holds that a lab with another number of zones is refused, and not what is up with the wanted one.
func TestUpLeavesNetworkOfOtherZones(t *testing.T) {
	for zones, want := range map[int]string{1: "", 3: "network: the lab has 192.168.33.0/24, and with ZONES=3 it needs 192.168.32.0/22: take it down first"} {
		options := spread(t)
		options.Zones = zones
		fakeDocker(t, `"network inspect"*) echo 192.168.33.0/24 `+options.Folder+` ;;`+wellEngine)
		if got := strings.Join(New(options).missingNetwork(t.Context()), "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%d zones: %q, want %q", zones, got, want)
		}
	}
}

func TestZoneIsCutOffAndJoined(t *testing.T) {
	// One of the zone's hosts is off.
	calls := fakeDocker(t, `"container ls"*) echo swarm-scale-lab-frontend01; echo swarm-scale-lab-frontend02; echo swarm-scale-lab-mirror ;;`)
	l := New(spread(t))
	if err := l.Cut(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := l.Join(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(calls(), "\n")
	var on []string
	for _, call := range calls() {
		if fields := strings.Fields(call); len(fields) > 1 && fields[0] == "exec" {
			on = append(on, fields[1])
		}
	}
	if want := []string{"swarm-scale-lab-frontend02", "swarm-scale-lab-frontend02"}; !reflect.DeepEqual(on, want) {
		t.Errorf("scripts run on %q, want %q", on, want)
	}
	if want := "LAB='192.168.33.1 192.168.33.3' OTHERS='192.168.33.0/24 192.168.35.0/24'\n"; !strings.Contains(text, want) {
		t.Errorf("the script that cuts off has not %q:\n%s", want, text)
	}
	for _, zone := range []int{0, 4} {
		if err := l.Cut(t.Context(), zone); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("zone %d is not one of the lab's, which has 3", zone)) {
			t.Errorf("zone %d: %v", zone, err)
		}
	}
	if err := New(Options{Folder: t.TempDir()}).Cut(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "ZONES=3") {
		t.Errorf("the only zone: %v", err)
	}
	fakeDocker(t, `"container ls"*) echo swarm-scale-lab-frontend02 ;; exec*) echo "no iptables" >&2; exit 1 ;;`)
	if err := l.Cut(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "frontend02: ") || !strings.Contains(err.Error(), "no iptables") {
		t.Errorf("a host that cannot be cut off: %v", err)
	}
}
