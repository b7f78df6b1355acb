package standalone

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/cluster/engine"
	"swarm-scale/test/script"
)

// allMembersScript is the text of the command swarm-members.
var allMembersScript = ports() + discoveryScript + membersScript + gossipScript + placesScript

// managerReport is a Swarm manager's answer to /info, as release 1.2.9 gives it.
func managerReport(status map[string]string) string {
	pairs := []string{`["Role","primary"]`, `["Strategy","spread"]`, fmt.Sprintf(`["Nodes","%d"]`, len(status))}
	for _, name := range []string{"frontend01", "frontend02", "worker01", "store"} {
		if status[name] == "" {
			continue
		}
		pairs = append(pairs, fmt.Sprintf(`[" %s","192.168.33.20:2375"]`, name), `["  └ ID","ABCD:EFGH|192.168.33.20:2375"]`,
			fmt.Sprintf(`["  └ Status","%s"]`, status[name]), `["  └ Containers","2 (2 Running, 0 Paused, 0 Stopped)"]`,
			`["  └ Labels","kernelversion=5.15.0, operatingsystem=Ubuntu 22.04"]`)
	}
	return `{"ID":"","Containers":4,"SystemStatus":[` + strings.Join(pairs, ",") + `],"Name":"swarm"}`
}

// fakeConsul is a Consul that lists one engine. It leads on that engine's node. A deleted entry returns, as an engine's does with its next heartbeat.
func fakeConsul(t *testing.T, engine string) (address string, deletions *atomic.Int32) {
	t.Helper()
	deletions = &atomic.Int32{}
	consul := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletions.Add(1)
			return
		}
		if r.URL.Path == "/v1/status/leader" {
			fmt.Fprint(w, `"127.0.0.1:8300"`)
			return
		}
		fmt.Fprintf(w, `["docker/nodes/%s"]`, engine)
	}))
	t.Cleanup(consul.Close)
	return consul.Listener.Addr().String(), deletions
}

func TestMembersAreAwaited(t *testing.T) {
	gossip, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("the gossip port 7946 is in use on this machine: %v", err)
	}
	defer gossip.Close()
	var asked atomic.Int32
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The manager needs a moment, and then reports the second member as pending.
		switch asked.Add(1) {
		case 1:
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		case 2:
			fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy", "frontend02": "Pending"}))
		default:
			fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy", "frontend02": "Healthy"}))
		}
	}))
	defer manager.Close()
	const engine = "127.0.0.1:2375"
	consul, deletions := fakeConsul(t, engine)
	// The machine of frontend01 was replaced. The network has endpoints of a container that exists and of one that does not.
	fakes := t.TempDir()
	notes := filepath.Join(fakes, "notes")
	if err := os.WriteFile(notes+"-machines", []byte("frontend01: other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	docker := `#!/bin/sh
case "$*" in
"network inspect mynet "*) printf 'redis01\nredis02\n\n' ;;
"-H unix:///own restart swarm-manager") ;;
"-H tcp://127.0.0.1:2375 restart swarm-manager") exit 1 ;;
"-H tcp://127.0.0.1:2375 ps --all "*) printf 'redis01\nfrontend01,frontend01/alias\n' ;;
*) echo "asked: $*" ;;
esac
`
	script.Fake(t, fakes, map[string]string{"docker": docker})
	output, err := script.Run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MANAGERS=unix:///own tcp://127.0.0.1:2375", "MEMBERS=frontend01 frontend02", "WAIT=30",
		"CONSUL="+consul, "ENGINES="+engine, "NETWORK=mynet", "NOTES="+notes, "MACHINES=frontend01: a\nfrontend02: b")
	if !strings.Contains(output, "restarted the manager") || !strings.Contains(output, "the manager of tcp://127.0.0.1:2375 is away") {
		t.Errorf("the manager was not restarted after a machine was replaced:\n%s", output)
	}
	if strings.Count(output, "asked:") != 1 || !strings.Contains(output, "asked: network disconnect --force mynet redis02\n") {
		t.Errorf("the wrong endpoints were removed:\n%s", output)
	}
	if err != nil || !strings.Contains(output, "all healthy: frontend01 frontend02") || asked.Load() != 3 {
		t.Errorf("after %d questions: %v\n%s", asked.Load(), err, output)
	}
	if deletions.Load() != 1 || !strings.Contains(output, "all engines have joined") {
		t.Errorf("the first engine was announced again %d times, want once:\n%s", deletions.Load(), output)
	}
	// The error names an engine that is not announced.
	output, err = script.Run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MANAGERS=unix:///own tcp://127.0.0.1:2375", "MEMBERS=frontend01", "WAIT=1",
		"CONSUL="+consul, "ENGINES=127.0.0.2:2375", "NETWORK=mynet", "NOTES="+notes, "MACHINES=frontend01: a")
	if err == nil || !strings.Contains(output, "the engine at 127.0.0.2 is not announced in Consul") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestEndpointsStayWithoutAListOfEngines holds that no endpoint is removed when Consul fails to list the engines.
func TestEndpointsStayWithoutAListOfEngines(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy"}))
	}))
	defer manager.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("the gossip port 7946 is in use on this machine: %v", err)
	}
	defer func() { _ = listener.Close() }()
	var asked atomic.Int32
	consul := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && asked.Add(1) > 2 { // before and after the engine is announced again
			http.Error(w, "no leader", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `["docker/nodes/127.0.0.1:2375"]`)
	}))
	defer consul.Close()
	fakes := t.TempDir()
	docker := "#!/bin/sh\ncase \"$*\" in\n\"network inspect mynet \"*) echo redis01 ;;\n*) echo \"asked: $*\" ;;\nesac\n"
	script.Fake(t, fakes, map[string]string{"docker": docker})
	output, err := script.Run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MANAGERS=unix:///own tcp://127.0.0.1:2375", "MEMBERS=frontend01", "WAIT=30",
		"CONSUL="+consul.Listener.Addr().String(), "ENGINES=127.0.0.1:2375", "NETWORK=mynet", "NOTES="+filepath.Join(t.TempDir(), "notes"), "MACHINES=frontend01: a")
	if err != nil || strings.Contains(output, "asked:") || !strings.Contains(output, "does not list the engines, so mynet keeps its endpoints") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestMissingMembersAreNamed(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy", "frontend02": "Unhealthy", "store": "Healthy"}))
	}))
	defer manager.Close()
	for name, test := range map[string]struct{ manager, missing string }{
		"some are unhealthy": {manager.Listener.Addr().String(), "frontend02 worker01"},
		"no manager answers": {"127.0.0.1:1", "frontend01 frontend02 worker01 store"},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := script.Run(t, allMembersScript, "create", "", "MANAGER="+test.manager, "MANAGERS=", "MEMBERS=frontend01 frontend02 worker01 store", "WAIT=1", "CONSUL=", "ENGINES=", "NETWORK=mynet", "NOTES="+filepath.Join(t.TempDir(), "notes"), "MACHINES=")
			if err == nil || !strings.Contains(output, "does not report healthy: "+test.missing+"\n") {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// fakeDocker puts a fake docker in a folder. It writes down its calls, and knows one container.
func fakeDocker(t *testing.T) (folder string, asked func() string) {
	t.Helper()
	folder = t.TempDir()
	log := filepath.Join(folder, "asked")
	docker := `#!/bin/sh
echo "$@" >>` + log + `
case "$1 $2" in
"inspect --type") [ -e ` + folder + `/label ] && cat ` + folder + `/labels ;;
"inspect --format") cat ` + folder + `/label 2>/dev/null ;;
"inspect swarm-agent") [ -e ` + folder + `/label ] ;;
"run --detach") for a; do case $a in swarm-scale.command=*) echo "${a#*=}" >` + folder + `/label ;; esac; done ;;
"rm --force") rm -f ` + folder + `/label ;;
esac
`
	script.Fake(t, folder, map[string]string{"docker": docker, "curl": script.EngineCurl("OK")})
	if err := os.WriteFile(filepath.Join(folder, "labels"), []byte(`{"swarm-scale":""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, func() string {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(log)
		return string(content)
	}
}

// TestEnginesFaultsAreRepaired holds what the service on each node does: it starts containers that the engine ended or failed to start,
// announces the engine again, removes endpoints of containers that do not run, restarts a container that does not resolve a name,
// and removes the tunnel's entries that lead to the node itself.
func TestEnginesFaultsAreRepaired(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("the gossip port 7946 is in use on this machine: %v", err)
	}
	defer func() { _ = listener.Close() }()
	consul, deletions := fakeConsul(t, "127.0.0.1:2375")
	folder := t.TempDir()
	// The engine says that it ended redis03 when it started, at 12:00, and that somebody stopped redis04 before. It reports two failed
	// containers. One works after the engine restarts, the other after docker start. Then there are events of three containers.
	// redis01 is gone.
	docker := `#!/bin/sh
echo "$@" >>` + folder + `/asked
case "$*" in
*DockerRootDir*) echo ` + folder + ` ;;
*ClusterStore*ClusterAdvertise*) echo consul://` + consul + ` 127.0.0.1:2375 ;;
"ps "*) echo a; echo b ;;
*FinishedAt*) echo c /redis03 2026-02-08T12:00:09.5Z; echo d /redis04 2026-02-08T11:59:58Z ;;
*Health*) echo 'unhealthy: lookup redis02: no such host' ;;
"inspect --type container "*redis01) exit 1 ;;
"inspect --type container "*frontend02) echo created failed ;;
"inspect --type container "*) echo running ;;
"inspect "*)
	[ -e ` + folder + `/restarted ] || echo "a /redis01: network sandbox join failed"
	[ -e ` + folder + `/started ] || echo "b /frontend01: network mynet not found" ;;
"start c") ;;
"start "*) touch ` + folder + `/started ;;
"events "*) echo redis01 destroy; echo redis02 destroy; echo worker01 health_status: unhealthy
	for _ in $(seq 200); do
		if grep -q 'mynet frontend02' ` + folder + `/asked; then break; fi
		/bin/sleep 0.1
	done
	/bin/sleep 0.3 ;;
"network ls "*) echo mynet ;;
*ClusterStore*) echo consul://192.0.2.11:8500 ;;
"network inspect "*) echo redis01; echo redis02; echo frontend02 ;;
esac
`
	serviceProgram := "#!/bin/sh\necho service \"$@\" >>" + folder + "/asked\n[ $2 = stop ] || touch " + folder + "/restarted\n"
	script.Fake(t, folder, map[string]string{
		"docker": docker, "service": serviceProgram, "systemctl": "#!/bin/sh\nexec " + folder + "/service docker start\n",
		"sleep": "#!/bin/sh\nexec /bin/sleep 0.1\n",
		"curl":  script.EngineCurl(`[{"Id":"1","Names":["/frontend02"],"Image":"x"}]`),
		"nsenter": "#!/bin/sh\necho nsenter \"$@\" >>" + folder + "/asked\n" +
			"case \"$*\" in\n*1-5c420440d9*link*show*) echo ' hairpin off learning on flood on' ;;\n*link*show*) echo ' learning off flood on' ;;\n" +
			// One entry leads to the node itself, one to another node.
			"*fdb*2-10d0fc52af*) ;;\n*fdb*show*) echo 02:42:0a:00:00:06 dst 127.0.0.1 self permanent; echo 02:42:0a:00:00:07 dst 192.168.33.21 self permanent ;;\nesac\n",
	})
	database := filepath.Join(folder, "network", "files", "local-kv.db")
	if err := errors.Join(os.MkdirAll(filepath.Dir(database), 0o700), os.WriteFile(database, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	namespaces := filepath.Join(folder, "namespaces")
	first, second := filepath.Join(namespaces, "1-5c420440d9"), filepath.Join(namespaces, "2-10d0fc52af")
	if err := errors.Join(os.MkdirAll(namespaces, 0o700), os.WriteFile(first, nil, 0o600), os.WriteFile(second, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	pidFile, looked := filepath.Join(folder, "docker.pid"), filepath.Join(folder, "looked")
	start := time.Date(2026, 2, 8, 12, 0, 0, 0, time.UTC)
	if err := errors.Join(os.WriteFile(pidFile, nil, 0o600), os.Chtimes(pidFile, start, start)); err != nil {
		t.Fatal(err)
	}
	service := func() (string, error) {
		return script.Run(t, ports()+engine.RestartFunctions+discoveryScript+consulNodeScript+reachScript+tendContainersScript, "", folder, "NAMESPACES="+namespaces, "PID_FILE="+pidFile, "LOOKED="+looked)
	}
	output, err := service()
	if _, err := os.Stat(database); err == nil {
		t.Error("the engine's database of networks was not removed")
	}
	text, _ := os.ReadFile(filepath.Join(folder, "asked"))
	asked := "\n" + string(text)
	for line, want := range map[string]int{
		"service docker start": 1, "start b": 1, "start a": 0, "start c": 1, "start d": 0,
		"--host tcp://192.0.2.11:2375 network disconnect --force mynet redis01":    1,
		"--host tcp://192.0.2.11:2375 network disconnect --force mynet frontend02": 1,
		"--host tcp://192.0.2.11:2375 network disconnect --force mynet redis02":    0,
		"restart worker01": 1,
		"nsenter --net=" + first + " ip link set dev vxlan0 type bridge_slave learning off fdb_flush":  1,
		"nsenter --net=" + first + " bridge fdb del 02:42:0a:00:00:06 dev vxlan0 dst 127.0.0.1 self":   1,
		"nsenter --net=" + first + " bridge fdb del 02:42:0a:00:00:07 dev vxlan0 dst 127.0.0.1 self":   0,
		"nsenter --net=" + second + " ip link set dev vxlan0 type bridge_slave learning off fdb_flush": 0,
	} {
		if got := strings.Count(asked, "\n"+line+"\n"); got != want {
			t.Errorf("asked %q %d times, want %d", line, got, want)
		}
	}
	if err != nil || deletions.Load() != 1 || t.Failed() {
		t.Errorf("%v, announced again %d times\n%s\n%s", err, deletions.Load(), output, asked)
	}
	// While the engine runs, somebody may stop a container. The service does not start it when it starts anew.
	if output, err := service(); err != nil || strings.Contains(output, "redis03") {
		t.Errorf("the second time: %v\n%s", err, output)
	}
}

// TestUnchangedContainerKeepsRunning holds that a second run leaves the container alone, that a changed image replaces it, and that
// "delete" removes it.
func TestUnchangedContainerKeepsRunning(t *testing.T) {
	folder, asked := fakeDocker(t)
	consul, deletions := fakeConsul(t, "192.168.33.20:2375")
	notes, generation := filepath.Join(t.TempDir(), "notes"), "first"
	join := func(action, image string) string {
		t.Helper()
		output, err := script.Run(t, ports()+engine.RestartFunctions+followConsulScript+containerScript+discoveryScript+joinScript, action, folder, "SWARM_IMAGE="+image, "MEMORY=48m", "GENERATION="+generation, "NOTES="+notes, "PRIVATE_ADDRESS=192.168.33.20",
			"DISCOVERY=consul://192.168.33.11:8500/", "CONSUL="+consul, "NODE_NAME=frontend01", "NETWORK=")
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return asked()
	}
	first := join("create", "swarm:1.2.9")
	if !strings.Contains(first, "run --detach --restart unless-stopped --env NO_PROXY=* --env no_proxy=* --name swarm-agent") ||
		!strings.Contains(first, "swarm:1.2.9 join --heartbeat 3s --ttl 30s --advertise 192.168.33.20:2375 consul://192.168.33.11:8500/") {
		t.Errorf("the first run asks\n%s", first)
	}
	for _, confined := range []string{"--memory 48m", "--pids-limit 512", "--ulimit nofile=", "--security-opt no-new-privileges", "--cap-drop ALL", "--read-only"} {
		if !strings.Contains(first, confined) {
			t.Errorf("the agent runs without %s", confined)
		}
	}
	if deletions.Load() != 1 {
		t.Errorf("a new agent removes the address from the list %d times, want once", deletions.Load())
	}
	if second := join("create", "swarm:1.2.9"); strings.Contains(second, "run ") || strings.Contains(second, "rm ") {
		t.Errorf("the second run touches the container:\n%s", second)
	}
	if changed := join("create", "swarm:1.2.8"); !strings.Contains(changed, "rm --force --volumes swarm-agent") || !strings.Contains(changed, "run ") {
		t.Errorf("a changed image leaves the container as it was:\n%s", changed)
	}
	// After Consul has started without data, the engine has to restart once.
	engine := filepath.Join(t.TempDir(), "started")
	start := "#!/bin/sh\necho \"$@\" >>" + engine + "\n"
	script.Fake(t, folder, map[string]string{"service": start, "systemctl": start})
	for range 2 {
		generation = "second"
		join("create", "swarm:1.2.8")
	}
	if started, _ := os.ReadFile(engine); strings.Count(string(started), "start") != 1 {
		t.Errorf("with Consul's data of another generation, two runs start the engine so:\n%s", started)
	}
	// A container of somebody else stays.
	if err := os.WriteFile(filepath.Join(folder, "labels"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := script.Run(t, ports()+containerScript+"keep_container swarm-agent swarm:1.2.7 48m swarm:1.2.7", "", folder)
	if theirs := asked(); err == nil || !strings.Contains(output, "a container named swarm-agent that is not this stack's") || strings.Contains(theirs, "rm ") {
		t.Errorf("%v: %s\na container of somebody else: it asks\n%s", err, output, theirs)
	}
	if err := os.WriteFile(filepath.Join(folder, "labels"), []byte(`{"swarm-scale":""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if deleted := join("delete", "swarm:1.2.8"); !strings.Contains(deleted, "rm --force --volumes swarm-agent") || strings.Contains(deleted, "run ") {
		t.Errorf("delete asks\n%s", deleted)
	}
}

// TestLongAnswersAreAwaited holds that a good answer counts also when it is longer than a pipe holds.
func TestLongAnswersAreAwaited(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "swarm\n"+strings.Repeat("more of it\n", 100_000))
	}))
	defer server.Close()
	fakes, _ := fakeDocker(t)
	text := "sleep() { SECONDS=60; }\n" + containerScript + "await swarm-manager " + server.URL + " swarm"
	if output, err := script.Run(t, text, "create", fakes); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestEngineReachesConsulWithoutTheProxy holds how the unit starts an engine: as before, unless a proxy is set for it or may be in a file.
// The shell that such a unit starts is run, too.
func TestEngineReachesConsulWithoutTheProxy(t *testing.T) {
	fakes := t.TempDir()
	plain := filepath.Join(fakes, "dockerd") + " --containerd=/run/containerd/containerd.sock"
	script.Fake(t, fakes, map[string]string{"dockerd": "#!/bin/sh\necho \"$NO_PROXY $*\"\n"})
	for name, test := range map[string]struct {
		manager, unit string // what systemd prints
		proxied       bool
		environment   []string // the unit's
		direct        string   // NO_PROXY of the engine
	}{
		"no proxy":                {"LANG=C", "Environment=", false, nil, ""},
		"a proxy for https only":  {"LANG=C", "Environment=HTTPS_PROXY=http://proxy:3128", false, nil, ""},
		"the unit's proxy":        {"LANG=C", "Environment=HTTP_PROXY=http://proxy:3128", true, nil, ",192.168.33.11"},
		"with exceptions":         {"LANG=C", "Environment=http_proxy=http://proxy:3128 no_proxy=a,b", true, []string{"no_proxy=a,b"}, "a,b,192.168.33.11"},
		"no file":                 {"LANG=C", "Environment=\nEnvironmentFiles=", false, nil, ""},
		"a file that may have it": {"LANG=C", "EnvironmentFiles=/etc/environment (ignore_errors=no)\nEnvironment=", true, []string{"http_proxy=http://proxy:3128"}, ",192.168.33.11"},
		"systemd's proxy":         {"HTTP_PROXY=http://proxy:3128", "Environment=", true, []string{"NO_PROXY=c", "no_proxy=a"}, "c,192.168.33.11"},
	} {
		t.Run(name, func(t *testing.T) {
			systemctl := "#!/bin/sh\ncase \"$*\" in\nshow-environment) echo '" + test.manager + "' ;;\n*Environment,EnvironmentFiles*) echo '" + test.unit + "' ;;\n*) echo '" + test.unit + "' | grep ^Environment= ;;\nesac\n"
			if err := os.WriteFile(filepath.Join(fakes, "systemctl"), []byte(systemctl), 0o700); err != nil {
				t.Fatal(err)
			}
			line, err := script.Run(t, engine.RestartFunctions+followConsulScript+"engine_command consul://192.168.33.11:8500", "create", fakes)
			if err != nil {
				t.Fatal(err, line)
			}
			if !test.proxied {
				if line != plain+"\n" {
					t.Errorf("the unit starts %q, want %q", line, plain)
				}
				return
			}
			command := exec.Command("sh", "-c", strings.ReplaceAll(line, "$$", "$")) // as systemd reads it
			command.Env = append(test.environment, "PATH="+os.Getenv("PATH"))
			output, err := command.CombinedOutput()
			if want := test.direct + " --containerd=/run/containerd/containerd.sock\n"; err != nil || string(output) != want {
				t.Errorf("%v: %s runs the engine with %q, want %q", err, line, output, want)
			}
		})
	}
}
