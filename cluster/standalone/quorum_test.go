package standalone

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"swarm-scale/cluster/engine"
	"swarm-scale/test/script"
)

// fakeServer is a Consul at the loopback. Its answers have the server's ID, and the list of servers.
func fakeServer(t *testing.T, leader string, servers ...string) (port string) {
	t.Helper()
	consul := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/status/leader":
			fmt.Fprintf(w, "%q", leader)
		case "/v1/agent/self":
			fmt.Fprint(w, `{"Config":{"Datacenter":"dc1","NodeID":"new","Server":true},"DebugConfig":{"NodeID":"new","NodeName":"manager02"}}`)
		case "/v1/operator/raft/configuration":
			fmt.Fprintf(w, `{"Servers":[%s],"Index":0}`, strings.Join(servers, ","))
		}
	}))
	t.Cleanup(consul.Close)
	address := consul.Listener.Addr().String()
	return address[strings.LastIndex(address, ":")+1:]
}

// server is one of the servers that Consul lists.
func server(id string, voter bool) string {
	return fmt.Sprintf(`{"ID":%q,"Node":"manager02","Address":"192.168.33.13:8300","Leader":false,"Voter":%t}`, id, voter)
}

// TestConsulOnEveryNode holds how a server and an agent start, that a server is done once it has a vote itself, that a second run leaves the
// container alone, and that each leaves in good order.
func TestConsulOnEveryNode(t *testing.T) {
	for _, test := range []struct {
		name, server, leader string
		servers              []string
		fails                string
	}{
		{"server", "yes", "192.168.33.11:8300", []string{server("lost", true), server("new", true)}, ""},
		{"server without a vote", "yes", "192.168.33.11:8300", []string{server("lost", true), server("new", false)}, "has no vote"},
		{"without most servers", "yes", "", nil, "most of Consul's servers (192.168.33.11 192.168.33.13 192.168.33.14) are away"},
		{"agent", "no", "192.168.33.11:8300", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, asked := fakeDocker(t)
			port := fakeServer(t, test.leader, test.servers...)
			text := "sleep() { SECONDS=200; }\n" + engine.RestartFunctions + containerScript + ownConsulScript + consulMemberScript
			run := func(action string) (string, error) {
				return script.Run(t, text, action, folder, "CONSUL_PORT="+port, "CONSUL_IMAGE=consul:1", "NODE_NAME=manager02", "PRIVATE_ADDRESS=192.168.33.13",
					"SERVERS=192.168.33.11 192.168.33.13 192.168.33.14", "SERVER="+test.server, "MEMORY=128m", "NOTES="+filepath.Join(folder, "notes"))
			}
			output, err := run("create")
			if test.fails != "" {
				if err == nil || !strings.Contains(output, test.fails) {
					t.Errorf("%v\n%s", err, output)
				}
				return
			}
			first := asked()
			if err != nil || strings.Contains(first, "consul:1 agent -server -bootstrap-expect 3 -node manager02") != (test.server == "yes") {
				t.Errorf("%v\n%s\nit asks\n%s", err, output, first)
			}
			for _, want := range []string{"--network host", "--memory 128m", "--cap-drop ALL", "--read-only", "--volume consul-data:/consul/data", "-node manager02 -bind 192.168.33.13 -client 127.0.0.1",
				"-retry-join 192.168.33.11 -retry-join 192.168.33.13 -retry-join 192.168.33.14", "leave_on_terminate = false"} {
				if !strings.Contains(first, want) {
					t.Errorf("it runs without %s:\n%s", want, first)
				}
			}
			if output, err := run("create"); err != nil || strings.Contains(asked(), "run ") {
				t.Errorf("the second run starts it anew: %v\n%s", err, output)
			}
			if output, err := run("delete"); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
			if got := asked(); !strings.Contains(got, "exec consul consul leave\n") || !strings.Contains(got, "rm --force --volumes consul\nvolume rm --force consul-data\n") {
				t.Errorf("delete asks\n%s", got)
			}
		})
	}
}

// TestEngineChangesItsStoreOnce holds that an engine goes on with the only Consul until its node has one, and restarts once then. A machine that
// the stack has not configured has nothing to go on with.
func TestEngineChangesItsStoreOnce(t *testing.T) {
	folder, asked := fakeDocker(t)
	started := filepath.Join(folder, "started")
	restart := "#!/bin/sh\necho \"$@\" >>" + started + "\n"
	script.Fake(t, folder, map[string]string{"service": restart, "systemctl": restart})
	daemon, unit, notes := filepath.Join(folder, "daemon.json"), filepath.Join(folder, "unit.conf"), filepath.Join(folder, "notes")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(daemon, "{\n  \"tls\": false,\n  \"cluster-store\": \"consul://192.168.33.11:8500\",\n  \"cluster-advertise\": \"192.168.33.20:2375\"\n}\n")
	write(unit, "ExecStart=/bin/sh -c 'NO_PROXY=\"$${NO_PROXY:-$$no_proxy},192.168.33.11\" exec dockerd'\n")
	run := func(line string) string {
		t.Helper()
		output, err := script.Run(t, engine.RestartFunctions+containerScript+ownConsulScript+line, "create", folder, "DAEMON="+daemon, "UNIT="+unit, "NOTES="+notes)
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return output
	}
	const own = "consul://127.0.0.1:8500"
	if got := run("store_now " + own); got != own+"\n" {
		t.Errorf("a machine of somebody else goes on with %s", got)
	}
	write(notes, "")
	if got := run("store_now " + own); got != "consul://192.168.33.11:8500\n" {
		t.Errorf("an engine goes on with %s", got)
	}
	for range 2 {
		run("use_store " + own)
	}
	_ = asked()
	if got, _ := os.ReadFile(started); strings.Count(string(got), "start") != 1 {
		t.Errorf("two runs start the engine so:\n%s", got)
	}
	if got, _ := os.ReadFile(daemon); !strings.Contains(string(got), "  \"cluster-store\": \""+own+"\",\n  \"cluster-advertise\": \"192.168.33.20:2375\"") {
		t.Errorf("the engine's configuration is\n%s", got)
	}
	if got, _ := os.ReadFile(unit); !strings.Contains(string(got), `,127.0.0.1" exec`) {
		t.Errorf("the unit is\n%s", got)
	}
	if got := run("store_now " + own); got != own+"\n" {
		t.Errorf("then it has %s", got)
	}
}

// TestManagerIsAReplica holds how a Swarm manager starts where there are several.
func TestManagerIsAReplica(t *testing.T) {
	folder, asked := fakeDocker(t)
	script.Fake(t, folder, map[string]string{"curl": "#!/bin/sh\necho swarm/1.2.9\n"})
	output, err := script.Run(t, ports()+engine.MachineFunctions+engine.RestartFunctions+followConsulScript+containerScript+managerScript, "create", folder,
		"SWARM_IMAGE=swarm:1.2.9", "GENERATION=g", "NOTES="+filepath.Join(folder, "notes"), "PRIVATE_ADDRESS=192.168.33.13", "DISCOVERY=consul://127.0.0.1:8500/",
		"LOGIN_USER=root", "NETWORK=--network host", "OPTIONS=--host tcp://192.168.33.13:3375 --replication")
	got := asked()
	for _, want := range []string{" --network host swarm:1.2.9 manage --strategy spread --heartbeat 2s --host tcp://192.168.33.13:3375 --replication consul://127.0.0.1:8500/\n"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%v\n%s\nit asks\n%s\nwithout %q", err, output, got, want)
		}
	}
}

// TestMembersAreAskedOfThePrimary holds that a replica's own list of the members does not count, and that one without a primary is asked again.
func TestMembersAreAskedOfThePrimary(t *testing.T) {
	var asked atomic.Int32
	primary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := "Pending"
		if asked.Add(1) > 1 {
			status = "Healthy"
		}
		fmt.Fprint(w, managerReport(map[string]string{"frontend01": status}))
	}))
	defer primary.Close()
	var questions atomic.Int32
	replica := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		address := primary.Listener.Addr().String()
		if questions.Add(1) == 1 {
			address = "127.0.0.1:1" // the lost one
		}
		report := managerReport(map[string]string{"frontend01": "Healthy"})
		fmt.Fprint(w, strings.Replace(report, `["Role","primary"]`, `["Role","replica"],["Primary","`+address+`"]`, 1))
	}))
	defer replica.Close()
	output, err := script.Run(t, membersScript, "create", t.TempDir(), "MANAGER="+replica.Listener.Addr().String(), "MANAGERS=", "MEMBERS=frontend01", "MACHINES=frontend01: a",
		"WAIT=30", "NOTES="+filepath.Join(t.TempDir(), "notes"), "ENGINE_PORT=2375")
	if err != nil || questions.Load() != 3 || asked.Load() != 2 {
		t.Errorf("the replica was asked %d times, the primary %d: %v\n%s", questions.Load(), asked.Load(), err, output)
	}
}

// TestConsulsNode holds whose engine looks after Consul's entries: where each node has an agent, that of the leader.
func TestConsulsNode(t *testing.T) {
	port := fakeServer(t, "192.168.33.13:8300")
	nobody := fakeServer(t, "")
	for consul, want := range map[string]string{"192.168.33.11:8500": "192.168.33.11\n", "127.0.0.1:" + port: "192.168.33.13", "127.0.0.1:" + nobody: ""} {
		if got, err := script.Run(t, consulNodeScript+"consul_node "+consul, "", t.TempDir()); err != nil || got != want {
			t.Errorf("%s is on %q, want %q (%v)", consul, got, want, err)
		}
	}
}

// TestManagerIsAskedThatKnowsALeader holds which manager a deployment asks.
func TestManagerIsAskedThatKnowsALeader(t *testing.T) {
	for _, test := range []struct {
		answers []string
		want    int
	}{
		{[]string{`"192.168.33.13:8300"`, `"192.168.33.13:8300"`, ""}, 0},
		{[]string{"", "Welcome: have fun\n\"192.168.33.13:8300\"\n", `"192.168.33.13:8300"`}, 1},
		{[]string{`""`, "Welcome: have fun\n\"\"\n", `"192.168.33.14:8300"`}, 2},
		{[]string{"", "", ""}, 0},
	} {
		if got := firstWithLeader(test.answers); got != test.want {
			t.Errorf("%q: %d, want %d", test.answers, got, test.want)
		}
	}
}
