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
)

// allMembersScript is what the manager runs once the members are to be there.
var allMembersScript = ports() + discoveryScript + membersScript + gossipScript + placesScript

// run has bash run a script as a node would, with these variables and, in front of PATH, a folder of stand-ins.
func run(t *testing.T, script, action, standIns string, variables ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the scripts need it", program)
		}
	}
	command := exec.Command("bash", "-c", script, "script", action)
	command.Env = append(append(os.Environ(), variables...), "PATH="+standIns+":"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// managerReport is what a Swarm manager answers to /info, in the shape in which release 1.2.9 does.
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

// fakeStore is a key-value store as far as engines announce themselves in it: an entry that is deleted comes back, as an
// engine's does with its next heartbeat.
func fakeStore(t *testing.T, engine string) (address string, deletions *atomic.Int32) {
	t.Helper()
	deletions = &atomic.Int32{}
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletions.Add(1)
			return
		}
		fmt.Fprintf(w, `["docker/nodes/%s"]`, engine)
	}))
	t.Cleanup(store.Close)
	return store.Listener.Addr().String(), deletions
}

func TestMembersAreWaitedFor(t *testing.T) {
	gossip, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("port 7946, at which engines gossip, is taken here: %v", err)
	}
	defer gossip.Close()
	var asked atomic.Int32
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The second member is pending at first, and the manager itself needs a moment.
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
	store, deletions := fakeStore(t, engine)
	// The network has places for a container that is there, and for one that is not.
	// The machine frontend01 is another one than before: the manager has to look anew.
	standIns := t.TempDir()
	notes := filepath.Join(standIns, "notes")
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
	if err := os.WriteFile(filepath.Join(standIns, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	output, err := run(t, allMembersScript, "create", standIns, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01 frontend02", "WAIT=30",
		"CONSUL="+store, "ENGINES="+engine, "NETWORK=mynet", "NOTES="+notes, "MACHINES=frontend01: a\nfrontend02: b")
	if !strings.Contains(output, "the manager looks at all machines anew") {
		t.Errorf("the manager goes on with what it knew of another machine:\n%s", output)
	}
	if strings.Count(output, "asked:") != 1 || !strings.Contains(output, "asked: network disconnect --force mynet redis02\n") {
		t.Errorf("the network's places were not mended:\n%s", output)
	}
	if err != nil || !strings.Contains(output, "all healthy: frontend01 frontend02") || asked.Load() != 3 {
		t.Errorf("after %d questions: %v\n%s", asked.Load(), err, output)
	}
	if deletions.Load() != 1 || !strings.Contains(output, "the engines know each other") {
		t.Errorf("the first engine was asked %d times to announce itself anew:\n%s", deletions.Load(), output)
	}
	// An engine that is not announced is named.
	output, err = run(t, allMembersScript, "create", standIns, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01", "WAIT=1",
		"CONSUL="+store, "ENGINES=127.0.0.2:2375", "NETWORK=mynet", "NOTES="+notes, "MACHINES=frontend01: a")
	if err == nil || !strings.Contains(output, "the engine at 127.0.0.2 is not announced in Consul") {
		t.Errorf("%v\n%s", err, output)
	}
}

// A store that stops listing the engines costs no container its place.
func TestPlacesStayWithoutAList(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy"}))
	}))
	defer manager.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("port 7946 is taken on this machine: %v", err)
	}
	defer func() { _ = listener.Close() }()
	var asked atomic.Int32
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && asked.Add(1) > 2 { // before the announcement anew, and after it
			http.Error(w, "no leader", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, `["docker/nodes/127.0.0.1:2375"]`)
	}))
	defer store.Close()
	standIns := t.TempDir()
	docker := "#!/bin/sh\ncase \"$*\" in\n\"network inspect mynet \"*) echo redis01 ;;\n*) echo \"asked: $*\" ;;\nesac\n"
	if err := os.WriteFile(filepath.Join(standIns, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	output, err := run(t, allMembersScript, "create", standIns, "MANAGER="+manager.Listener.Addr().String(), "MEMBERS=frontend01", "WAIT=30",
		"CONSUL="+store.Listener.Addr().String(), "ENGINES=127.0.0.1:2375", "NETWORK=mynet", "NOTES="+filepath.Join(t.TempDir(), "notes"), "MACHINES=frontend01: a")
	if err != nil || strings.Contains(output, "asked:") || !strings.Contains(output, "does not list the engines, so mynet keeps its places") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestMissingMembersAreNamed(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, managerReport(map[string]string{"frontend01": "Healthy", "frontend02": "Unhealthy", "store": "Healthy"}))
	}))
	defer manager.Close()
	for name, test := range map[string]struct{ manager, missing string }{
		"some":               {manager.Listener.Addr().String(), "frontend02 worker01"},
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

// fakeDocker puts a stand-in for docker in a folder: it notes what it is asked, and knows one container.
func fakeDocker(t *testing.T) (folder string, asked func() string) {
	t.Helper()
	folder = t.TempDir()
	log := filepath.Join(folder, "asked")
	script := `#!/bin/sh
echo "$@" >>` + log + `
case "$1 $2" in
"inspect --format") cat ` + folder + `/label 2>/dev/null ;;
"inspect swarm-agent") [ -e ` + folder + `/label ] ;;
"run --detach") for a; do case $a in swarm-scale.command=*) echo "${a#*=}" >` + folder + `/label ;; esac; done ;;
"rm --force") rm -f ` + folder + `/label ;;
esac
`
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(script), 0o700); err != nil {
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

// TestContainersAreTended holds that what the engine could not start is started, after the engine where that helps; that the
// engine is announced anew; and that then the place of a container that is gone is freed, and a container that does not find
// another one's name is started anew.
func TestContainersAreTended(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:7946")
	if err != nil {
		t.Skipf("port 7946 is taken on this machine: %v", err)
	}
	defer func() { _ = listener.Close() }()
	store, deletions := fakeStore(t, "127.0.0.1:2375")
	folder := t.TempDir()
	// The engine knows of two failures until it is restarted, and of one until that container is started by hand. Of the
	// containers of which it then tells events, redis02 and worker01 are there.
	docker := `#!/bin/sh
echo "$@" >>` + folder + `/asked
case "$*" in
*DockerRootDir*) echo ` + folder + ` ;;
*ClusterStore*ClusterAdvertise*) echo consul://` + store + ` 127.0.0.1:2375 ;;
"ps "*) echo a; echo b ;;
*Health*) echo 'unhealthy: lookup redis02: no such host' ;;
"inspect --type container "*redis01) exit 1 ;;
"inspect --type container "*frontend02) echo created failed ;;
"inspect --type container "*) echo running ;;
"inspect "*)
	[ -e ` + folder + `/restarted ] || echo "a /redis01: network sandbox join failed"
	[ -e ` + folder + `/started ] || echo "b /frontend01: network mynet not found" ;;
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
	service := "#!/bin/sh\necho service \"$@\" >>" + folder + "/asked\n[ $2 = stop ] || touch " + folder + "/restarted\n"
	for name, text := range map[string]string{
		"docker": docker, "service": service, "systemctl": "#!/bin/sh\nexec " + folder + "/service docker start\n",
		"sleep": "#!/bin/sh\nexec /bin/sleep 0.1\n",
		"curl": "#!/bin/sh\ncase \"$*\" in\n*--unix-socket*) echo '[{\"Id\":\"1\",\"Names\":[\"/frontend02\"],\"Image\":\"x\"}]' ;;\n" +
			"*) PATH=${PATH#*:} exec curl \"$@\" ;;\nesac\n",
		"nsenter": "#!/bin/sh\necho nsenter \"$@\" >>" + folder + "/asked\n" +
			"case \"$*\" in\n*1-5c420440d9*link*show*) echo ' hairpin off learning on flood on' ;;\n*link*show*) echo ' learning off flood on' ;;\n" +
			// One way leads to the node itself, one to another node.
			"*fdb*2-10d0fc52af*) ;;\n*fdb*show*) echo 02:42:0a:00:00:06 dst 127.0.0.1 self permanent; echo 02:42:0a:00:00:07 dst 192.168.33.21 self permanent ;;\nesac\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	notes := filepath.Join(folder, "network", "files", "local-kv.db")
	if err := errors.Join(os.MkdirAll(filepath.Dir(notes), 0o700), os.WriteFile(notes, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	namespaces := filepath.Join(folder, "namespaces")
	first, second := filepath.Join(namespaces, "1-5c420440d9"), filepath.Join(namespaces, "2-10d0fc52af")
	if err := errors.Join(os.MkdirAll(namespaces, 0o700), os.WriteFile(first, nil, 0o600), os.WriteFile(second, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	output, err := run(t, ports()+restartScript+discoveryScript+tendContainersScript, "", folder, "NAMESPACES="+namespaces)
	if _, err := os.Stat(notes); err == nil {
		t.Error("the engine keeps its notes on a network that is gone")
	}
	text, _ := os.ReadFile(filepath.Join(folder, "asked"))
	asked := "\n" + string(text)
	for line, want := range map[string]int{
		"service docker start": 1, "start b": 1, "start a": 0,
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
		t.Errorf("%v, announced anew %d times\n%s\n%s", err, deletions.Load(), output, asked)
	}
}

// TestContainersAreLeftAlone holds that a script that runs twice starts its container once, that a changed argument starts
// another one, and that "delete" takes it away.
func TestContainersAreLeftAlone(t *testing.T) {
	folder, asked := fakeDocker(t)
	store, deletions := fakeStore(t, "192.168.33.20:2375")
	notes, generation := filepath.Join(t.TempDir(), "notes"), "first"
	join := func(action, image string) string {
		t.Helper()
		output, err := run(t, ports()+restartScript+containerScript+discoveryScript+joinScript, action, folder, "SWARM_IMAGE="+image, "GENERATION="+generation, "NOTES="+notes, "PRIVATE_ADDRESS=192.168.33.20",
			"DISCOVERY=consul://192.168.33.11:8500/", "CONSUL="+store, "NODE_NAME=frontend01")
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return asked()
	}
	if first := join("create", "swarm:1.2.9"); !strings.Contains(first, "run --detach --restart unless-stopped --name swarm-agent") ||
		!strings.Contains(first, "swarm:1.2.9 join --heartbeat 3s --ttl 30s --advertise 192.168.33.20:2375 consul://192.168.33.11:8500/") {
		t.Errorf("the first run asks\n%s", first)
	}
	if deletions.Load() != 1 {
		t.Errorf("a new agent takes the address off the list %d times, want once", deletions.Load())
	}
	if second := join("create", "swarm:1.2.9"); strings.Contains(second, "run ") || strings.Contains(second, "rm ") {
		t.Errorf("the second run touches the container:\n%s", second)
	}
	if changed := join("create", "swarm:1.2.8"); !strings.Contains(changed, "rm --force --volumes swarm-agent") || !strings.Contains(changed, "run ") {
		t.Errorf("a changed image leaves the container as it was:\n%s", changed)
	}
	// A store that began anew is one that the engine has to be started again for.
	engine := filepath.Join(t.TempDir(), "started")
	for _, program := range []string{"service", "systemctl"} {
		if err := os.WriteFile(filepath.Join(folder, program), []byte("#!/bin/sh\necho \"$@\" >>"+engine+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		generation = "second"
		join("create", "swarm:1.2.8")
	}
	if started, _ := os.ReadFile(engine); strings.Count(string(started), "start") != 1 {
		t.Errorf("with another store the engine is asked, in two runs,\n%s", started)
	}
	if deleted := join("delete", "swarm:1.2.8"); !strings.Contains(deleted, "rm --force --volumes swarm-agent") || strings.Contains(deleted, "run ") {
		t.Errorf("delete asks\n%s", deleted)
	}
}
