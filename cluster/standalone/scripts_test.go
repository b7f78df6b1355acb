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

	"swarm-scale/infra/packages"
)

// allMembersScript is the text of the command swarm-members.
var allMembersScript = ports() + discoveryScript + membersScript + gossipScript + placesScript

// run runs a script with bash and these variables. The folder of fake programs comes first on PATH.
func run(t *testing.T, script, action, fakes string, variables ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the scripts need it", program)
		}
	}
	command := exec.Command("bash", "-c", "set -euo pipefail\n"+script, "script", action)
	command.Env = append(append(os.Environ(), variables...), "PATH="+fakes+":"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// fakePrograms writes programs into a folder: their texts by their names.
func fakePrograms(t *testing.T, folder string, programs map[string]string) {
	t.Helper()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// engineCurl is the text of a curl that gives this answer for the engine's socket. It reaches all else as curl does.
func engineCurl(answer string) string {
	return "#!/bin/sh\ncase \"$*\" in\n*--unix-socket*) echo '" + answer + "' ;;\n*) PATH=${PATH#*:} exec curl \"$@\" ;;\nesac\n"
}

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

// fakeConsul is a Consul that lists one engine. A deleted entry returns, as an engine's does with its next heartbeat.
func fakeConsul(t *testing.T, engine string) (address string, deletions *atomic.Int32) {
	t.Helper()
	deletions = &atomic.Int32{}
	consul := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletions.Add(1)
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
"restart swarm-manager") ;;
"-H tcp://127.0.0.1:2375 ps --all "*) printf 'redis01\nfrontend01,frontend01/alias\n' ;;
*) echo "asked: $*" ;;
esac
`
	fakePrograms(t, fakes, map[string]string{"docker": docker})
	output, err := run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01 frontend02", "WAIT=30",
		"CONSUL="+consul, "ENGINES="+engine, "NETWORK=mynet", "NOTES="+notes, "MACHINES=frontend01: a\nfrontend02: b")
	if !strings.Contains(output, "restarted the manager") {
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
	output, err = run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01", "WAIT=1",
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
	fakePrograms(t, fakes, map[string]string{"docker": docker})
	output, err := run(t, allMembersScript, "create", fakes, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01", "WAIT=30",
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
			output, err := run(t, allMembersScript, "create", "", "MANAGER="+test.manager, "MEMBERS=frontend01 frontend02 worker01 store", "WAIT=1", "CONSUL=", "ENGINES=", "NETWORK=mynet", "NOTES="+filepath.Join(t.TempDir(), "notes"), "MACHINES=")
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
	script := `#!/bin/sh
echo "$@" >>` + log + `
case "$1 $2" in
"inspect --type") [ -e ` + folder + `/label ] && cat ` + folder + `/labels ;;
"inspect --format") cat ` + folder + `/label 2>/dev/null ;;
"inspect swarm-agent") [ -e ` + folder + `/label ] ;;
"run --detach") for a; do case $a in swarm-scale.command=*) echo "${a#*=}" >` + folder + `/label ;; esac; done ;;
"rm --force") rm -f ` + folder + `/label ;;
esac
`
	fakePrograms(t, folder, map[string]string{"docker": script, "curl": engineCurl("OK")})
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
	fakePrograms(t, folder, map[string]string{
		"docker": docker, "service": serviceProgram, "systemctl": "#!/bin/sh\nexec " + folder + "/service docker start\n",
		"sleep": "#!/bin/sh\nexec /bin/sleep 0.1\n",
		"curl":  engineCurl(`[{"Id":"1","Names":["/frontend02"],"Image":"x"}]`),
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
		return run(t, ports()+restartScript+discoveryScript+reachScript+tendContainersScript, "", folder, "NAMESPACES="+namespaces, "PID_FILE="+pidFile, "LOOKED="+looked)
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
		output, err := run(t, ports()+restartScript+containerScript+discoveryScript+joinScript, action, folder, "SWARM_IMAGE="+image, "MEMORY=48m", "GENERATION="+generation, "NOTES="+notes, "PRIVATE_ADDRESS=192.168.33.20",
			"DISCOVERY=consul://192.168.33.11:8500/", "CONSUL="+consul, "NODE_NAME=frontend01")
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
	fakePrograms(t, folder, map[string]string{"service": start, "systemctl": start})
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
	output, err := run(t, ports()+containerScript+"keep_container swarm-agent swarm:1.2.7 48m swarm:1.2.7", "", folder)
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

// readyOn runs ready.sh as the store, on a machine with this processor. After the checks of the machine itself it always fails.
func readyOn(t *testing.T, processor string, variables ...string) (string, error) {
	t.Helper()
	fakes := t.TempDir()
	fakePrograms(t, fakes, map[string]string{
		"uname":    "#!/bin/sh\nif [ \"$1\" = -m ]; then echo " + processor + "; else echo 5.15.0; fi\n",
		"ip":       "#!/bin/sh\nexit 1\n",
		"hostname": "#!/bin/sh\necho store\n",
	})
	return run(t, packages.Functions+machineScript+readyScript, "create", fakes, append(variables, "NODE_NAME=store", "PRIVATE_ADDRESS=10.0.0.1")...)
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
		fakePrograms(t, fakes, map[string]string{"docker": docker})
		wait := "60" // long enough for a busy machine
		if test.fails {
			wait = "2"
		}
		output, err := run(t, "WORKLOADS_HOST=unix:///var/run/docker.sock\n"+workloadsScript+awaitHealthScript, "create", fakes, "WORKLOAD=frontend01", "WORKLOAD_ID=1", "WAIT="+wait)
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
			script := strings.ReplaceAll(restartScript, "/run/systemd/system", root) + diskScript // as on a machine with systemd
			output, err := run(t, script, "create", fakes, "ROOT="+root, "ETC="+etc, "NODE_NAME=store", "DISK=vol-1", "DISK_SIZE=16", "DISK_WAIT=1",
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
			if output, err := run(t, script, "create", fakes, "ROOT="+root, "ETC="+etc, "NODE_NAME=store", "DISK=vol-1", "DISK_SIZE=16",
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
	fakePrograms(t, fakes, map[string]string{
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
		output, err := run(t, machineScript+"for _ in $(seq 25); do if "+question+"; then echo yes; else echo no; fi; done", "create", fakes)
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
		if output, err := run(t, machineScript+"name_host store "+path+"\nname_host store "+path, "create", fakes); err != nil {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, got, want)
		}
	}
}

// TestLongAnswersAreAwaited holds that a good answer counts also when it is longer than a pipe holds.
func TestLongAnswersAreAwaited(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "swarm\n"+strings.Repeat("more of it\n", 100_000))
	}))
	defer server.Close()
	fakes, _ := fakeDocker(t)
	script := "sleep() { SECONDS=60; }\n" + containerScript + "await swarm-manager " + server.URL + " swarm"
	if output, err := run(t, script, "create", fakes); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestEngineReachesConsulWithoutTheProxy holds how the unit starts an engine: as before, unless a proxy is set for it or may be in a file.
// The shell that such a unit starts is run, too.
func TestEngineReachesConsulWithoutTheProxy(t *testing.T) {
	fakes := t.TempDir()
	plain := filepath.Join(fakes, "dockerd") + " --containerd=/run/containerd/containerd.sock"
	fakePrograms(t, fakes, map[string]string{"dockerd": "#!/bin/sh\necho \"$NO_PROXY $*\"\n"})
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
			fakePrograms(t, fakes, map[string]string{"systemctl": systemctl})
			line, err := run(t, restartScript+"engine_command consul://192.168.33.11:8500", "create", fakes)
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
