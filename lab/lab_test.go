package lab

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"swarm-scale/topology"
)

// TestMain makes this machine refuse every call to a registry, so that the tests need no network.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"} {
		_ = os.Setenv(name, "http://127.0.0.1:9")
	}
	for _, name := range []string{"LAB_BASE", "ZONES", "POSTGRES_IMAGE"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// places lists the hosts' names and addresses.
func places(l *Lab) []string {
	var all []string
	for _, host := range l.Hosts() {
		all = append(all, host.Name+" "+host.Address)
	}
	return all
}

func TestHostsAreTheWalkThroughs(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    []string
	}{
		{"default", Options{}, []string{
			"manager 192.168.33.11", "interlock 192.168.33.12", "frontend01 192.168.33.20", "frontend02 192.168.33.21",
			"worker01 192.168.33.200", "store 192.168.33.250"}},
		{"larger", Options{Counts: topology.Counts{topology.Frontend: 3, topology.Worker: 2}}, []string{
			"manager 192.168.33.11", "interlock 192.168.33.12", "frontend01 192.168.33.20", "frontend02 192.168.33.21",
			"frontend03 192.168.33.22", "worker01 192.168.33.200", "worker02 192.168.33.201", "store 192.168.33.250"}},
		{"one frontend", Options{Counts: topology.Counts{topology.Frontend: 1}}, []string{
			"manager 192.168.33.11", "interlock 192.168.33.12", "frontend01 192.168.33.20", "worker01 192.168.33.200",
			"store 192.168.33.250"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.Folder = t.TempDir()
			l := New(test.options)
			if got := places(l); !reflect.DeepEqual(got, test.want) {
				t.Errorf("hosts are %q, want %q", got, test.want)
			}
			if store := l.Host("store"); store == nil || store.Container() != "swarm-scale-lab-store" {
				t.Errorf("the host store is %+v", store)
			}
			if other := l.Host("frontend99"); other != nil {
				t.Errorf("there is a host frontend99: %+v", other)
			}
		})
	}
}

func TestLabRemembersItsSize(t *testing.T) {
	folder := t.TempDir()
	l := New(Options{Folder: folder, Counts: topology.Counts{topology.Frontend: 4, topology.Worker: 2}})
	if err := l.writePlan(); err != nil {
		t.Fatal(err)
	}
	if l.former != l.cluster {
		t.Errorf("a lab that is up for %s takes itself for one that is up for %q, and would not grow", l.cluster, l.former)
	}
	if got, want := places(New(Options{Folder: folder})), places(l); !reflect.DeepEqual(got, want) {
		t.Errorf("the lab has %q when it is opened again, want %q", got, want)
	}
	if got := New(Options{Folder: folder, Counts: topology.Counts{topology.Frontend: 1}}); len(got.Hosts()) != 6 { // one frontend, and still two workers
		t.Errorf("one frontend of a lab with two workers makes %q", places(got))
	}
	if err := os.WriteFile(filepath.Join(folder, "lab.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if missing := New(Options{Folder: folder}).Missing(t.Context()); len(missing) != 1 || !strings.Contains(missing[0], "remove the file") {
		t.Errorf("a damaged file is reported as %q", missing)
	}
}

func TestTooManyHostsAreRefused(t *testing.T) {
	l := New(Options{Folder: t.TempDir(), Counts: topology.Counts{topology.Frontend: 181}})
	if missing := l.Missing(t.Context()); len(missing) != 1 || !strings.Contains(missing[0], "181 nodes of the role frontend do not fit") {
		t.Errorf("181 frontends: missing %q", missing)
	}
	if err := l.Up(t.Context()); err == nil {
		t.Error("181 frontends go up")
	}
	small := New(Options{Folder: t.TempDir()})
	if err := small.Grow(t.Context(), topology.Counts{topology.Worker: 51}); err == nil || len(small.Hosts()) != 6 {
		t.Errorf("growing to 51 workers: %v, and the lab has %d hosts, want an error and still 6", err, len(small.Hosts()))
	}
}

func TestConfigDescribesTheLab(t *testing.T) {
	folder := t.TempDir()
	if _, err := makeKey(filepath.Join(folder, "keys", "store"), "store"); err != nil {
		t.Fatal(err)
	}
	l := New(Options{Folder: folder, Counts: topology.Counts{topology.Frontend: 1}})
	config := l.Config()
	for key, want := range map[string]any{
		"platform": "hosts", "sshUser": "ubuntu", "frontends": 1, "workers": 1, "sshPrivateKeyFile": filepath.Join(folder, "id_ed25519"),
	} {
		if config[key] != want {
			t.Errorf("%s is %v, want %v", key, config[key], want)
		}
	}
	hosts := config["hosts"].([]any)
	store := hosts[len(hosts)-1].(map[string]any)
	if store["name"] != "store" || store["address"] != "192.168.33.250" || !strings.HasPrefix(store["hostKey"].(string), "ssh-ed25519 ") {
		t.Errorf("the last host is %v, want the store with its key", store)
	}
}
