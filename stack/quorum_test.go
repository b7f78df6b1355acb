package stack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"

	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
)

const containerType = "docker:index/container:Container"

// ofThreeManagers are the settings that give the dev stack three managers.
func ofThreeManagers() map[string]any {
	return map[string]any{"loadBalancer": "haproxy", "managers": 3, "frontendInstanceType": "t2.small"}
}

// TestTreeOfThreeManagers holds who runs what of Consul and Swarm, where each looks for Consul, and which ports are open for it.
func TestTreeOfThreeManagers(t *testing.T) {
	one, three := awsSettings(), awsSettings()
	one["loadBalancer"], three["loadBalancer"], three["managers"] = "haproxy", "haproxy", "3"
	single, err := deploy(t, one)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := deploy(t, three)
	if err != nil {
		t.Fatal(err)
	}
	var more, fewer []string
	names := func(list []registered, without []registered) (names []string) {
		for _, r := range list {
			if !slices.ContainsFunc(without, func(other registered) bool { return other.token == r.token && other.name == r.name }) {
				names = append(names, r.name)
			}
		}
		slices.Sort(names)
		return names
	}
	more, fewer = names(resources, single), names(single, resources)
	want := []string{"allow-consul-gossip-tcp", "allow-consul-gossip-udp", "allow-consul-server", "consul-generation",
		"frontend01-consul", "frontend02-consul", "interlock-consul"}
	for _, manager := range []string{"manager02", "manager03"} {
		for _, suffix := range []string{"", "", "-consul", "-engine", "-host-key", "-packet-filter", "-presence", "-ready", "-swarm-manager"} {
			want = append(want, manager+suffix)
		}
	}
	want = append(want, "store-consul", "worker01-consul")
	slices.Sort(want)
	if !slices.Equal(more, want) {
		t.Errorf("three managers add\n%v\nwant\n%v", more, want)
	}
	if len(fewer) > 0 {
		t.Errorf("three managers lack %v", fewer)
	}

	variables := func(command string, keys ...string) string {
		t.Helper()
		script := plain(find(t, resources, "command:remote:Command", command).inputs["stdin"]).StringValue()
		var shown []string
		for _, key := range keys {
			shown = append(shown, rehearsal.Variable(script, key))
		}
		return strings.Join(shown, ", ")
	}
	const servers = "192.168.33.11 192.168.33.13 192.168.33.14"
	for name, want := range map[string]string{
		"consul":            "manager, 192.168.33.11, yes, 384m, " + servers,
		"manager02-consul":  "manager02, 192.168.33.13, yes, 384m, " + servers,
		"manager03-consul":  "manager03, 192.168.33.14, yes, 384m, " + servers,
		"frontend02-consul": "frontend02, 192.168.33.21, no, 128m, " + servers,
		"interlock-consul":  "interlock, 192.168.33.12, no, 128m, " + servers,
	} {
		if got := variables(name, "NODE_NAME", "PRIVATE_ADDRESS", "SERVER", "MEMORY", "SERVERS"); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	for _, node := range []string{"manager", "manager02", "manager03", "interlock", "frontend01", "frontend02", "worker01", "store"} {
		if got := variables(node+"-engine", "CLUSTER_STORE"); got != "consul://127.0.0.1:8500" {
			t.Errorf("the engine of %s has the store %s", node, got)
		}
		// Until the node has Consul.
		if got := plain(find(t, resources, "command:remote:Command", node+"-engine").inputs["stdin"]).StringValue(); !strings.Contains(got, "\nCLUSTER_STORE=$(store_now ") {
			t.Errorf("the engine of %s does not go on with the store that it has", node)
		}
	}
	for name, address := range map[string]string{"swarm-manager": "192.168.33.11", "manager02-swarm-manager": "192.168.33.13", "manager03-swarm-manager": "192.168.33.14"} {
		want := fmt.Sprintf("--network host, --host tcp://%[1]s:3375 --host tcp://127.0.0.1:3375 --replication --replication-ttl 20s --advertise %[1]s:3375, consul://127.0.0.1:8500/, g1", address)
		if got := variables(name, "NETWORK", "OPTIONS", "DISCOVERY", "GENERATION"); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if got, want := variables("frontend01-join", "NETWORK", "DISCOVERY", "CONSUL"), "--network host, consul://127.0.0.1:8500/, 127.0.0.1:8500"; got != want {
		t.Errorf("the agent of frontend01 has %s, want %s", got, want)
	}
	// A dead manager's engine must not keep a deployment waiting. A manager on another machine is told of replaced ones, too.
	if got, want := variables("swarm-members", "MANAGER", "MANAGERS", "ENGINES"), "127.0.0.1:3375, tcp://192.168.33.11:2375 tcp://192.168.33.13:2375 tcp://192.168.33.14:2375, "+
		"192.168.33.20:2375 192.168.33.21:2375 192.168.33.200:2375 192.168.33.250:2375"; got != want {
		t.Errorf("the members are awaited with %s, want %s", got, want)
	}
	for first, then := range map[string]string{"consul": "frontend01-consul", "manager03-consul": "interlock-consul", "frontend01-consul": "frontend02-consul", "frontend02-consul": "frontend02-join"} {
		if !after(resources, find(t, resources, "command:remote:Command", then), first) {
			t.Errorf("%s does not wait for %s", then, first)
		}
	}
	// With one manager, everything is at its address.
	resources = single
	if got := variables("manager-engine", "CLUSTER_STORE"); got != "consul://192.168.33.11:8500" {
		t.Errorf("with one manager, an engine has the store %s", got)
	}
	if got, want := variables("swarm-manager", "NETWORK", "OPTIONS", "DISCOVERY"), "--publish 192.168.33.11:3375:2375, , consul://192.168.33.11:8500/"; got != want {
		t.Errorf("the only manager has %s, want %s", got, want)
	}
	if got := text(t, find(t, single, "aws:ec2/vpc:Vpc", "vpc").inputs["tags"]); strings.Contains(got, "Managers") {
		t.Errorf("a stack with one manager sees a change: %s", got)
	}
}

// TestThreeManagersNeedMemory holds that Consul's agents count for what a node's machine has to have.
func TestThreeManagersNeedMemory(t *testing.T) {
	values := awsSettings()
	values["loadBalancer"], values["managers"], values["frontendInstanceType"] = "haproxy", "3", "t3.nano"
	_, err := deploy(t, values)
	if err == nil || !strings.Contains(err.Error(), "has 512 MiB of memory, and what runs on it may use 1040 MiB") {
		t.Errorf("a small machine for frontends: %v", err)
	}
}

// TestThreeManagersDeployed runs what starts from three managers as they are after `pulumi up`. It is deployed once, and each test has a clone.
func TestThreeManagersDeployed(t *testing.T) {
	t.Parallel()
	deployed := simulated(t, ofThreeManagers())
	up(t, deployed)
	unchanged(t, deployed)
	if refreshed, err := deployed.Refresh(t.Context()); err != nil || refreshed.Changes() != 0 {
		t.Errorf("refresh: %v, %v", refreshed.Counts, err)
	}
	for _, node := range []string{"manager", "manager02", "manager03"} {
		t.Run(node+" lost", func(t *testing.T) {
			t.Parallel()
			testLostManagerOfThreeIsReplaced(t, deployed.Clone(t), node)
		})
		t.Run(node+" dead", func(t *testing.T) {
			t.Parallel()
			testDeploymentsNeedTwoOfThreeManagers(t, deployed.Clone(t), node)
		})
	}
	t.Run("destroyed while the one that is asked is dead", func(t *testing.T) {
		t.Parallel()
		e := deployed.Clone(t)
		e.World.MachineDead("manager")
		destroyed(t, e)
	})
	t.Run("two lost", func(t *testing.T) {
		t.Parallel()
		testTwoOfThreeManagersAreReplaced(t, deployed.Clone(t))
	})
	t.Run("all lost", func(t *testing.T) {
		t.Parallel()
		testAllManagersLost(t, deployed.Clone(t))
	})
	t.Run("they are kept", func(t *testing.T) {
		t.Parallel()
		testSettingsAreRefused(t, deployed.Clone(t), map[string]any{"managers": 1}, map[string]any{"managers": 3}, "pulumi config set managers 3")
	})
}

// containerIDs returns the IDs of the cluster's containers, sorted.
func containerIDs(e *harness.Stack) []string {
	var ids []string
	for _, container := range e.World.Objects(containerType) {
		ids = append(ids, string(container.ID))
	}
	slices.Sort(ids)
	return ids
}

// testLostManagerOfThreeIsReplaced holds that a manager comes back on another machine, and that no container is touched.
func testLostManagerOfThreeIsReplaced(t *testing.T, e *harness.Stack, node string) {
	e.World.MachineDead(node)
	before := containerIDs(e)
	result, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, node)}))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
	}
	made := []string{node + "-presence"}
	own, managing := node+"-consul", node+"-swarm-manager"
	if node == "manager" {
		own, managing = "consul", "swarm-manager"
		made = append(made, "swarm-image-manager")
	}
	if got := steps(result)["create"]; !slices.Equal(got, made) {
		t.Errorf("made anew besides the machine: %v, want %v", got, made)
	}
	inOrder(t, result, "create "+node, "update "+node+"-engine", "update "+own, "update consul-generation")
	inOrder(t, result, "update "+own, "update "+managing)
	if got := containerIDs(e); !slices.Equal(got, before) {
		t.Errorf("the containers were %v, and are %v", before, got)
	}
	unchanged(t, e)
	destroyed(t, e)
}

// testDeploymentsNeedTwoOfThreeManagers holds that up and destroy work while a manager does not answer. So does a refresh, unless it is the first
// one, on whose engine an image is looked for, as on every member's.
func testDeploymentsNeedTwoOfThreeManagers(t *testing.T, e *harness.Stack, node string) {
	e.World.MachineDead(node)
	if refreshed, err := e.Refresh(t.Context()); node != "manager" && (err != nil || refreshed.Changes() != 0) {
		t.Errorf("refresh: %v, %v", refreshed.Counts, err)
	}
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for _, record := range up(t, e).Records {
		if record.Type == containerType && record.Op == "create" {
			replaced++
		}
	}
	if replaced != 3 {
		t.Errorf("%d containers show the changed ballot, want 3", replaced)
	}
	unchanged(t, e)
	destroyed(t, e)
}

// testTwoOfThreeManagersAreReplaced holds that two managers come back at once, and that no container is touched.
func testTwoOfThreeManagersAreReplaced(t *testing.T, e *harness.Stack) {
	var lost []string
	for _, node := range []string{"manager", "manager03"} {
		lost = append(lost, machineURN(t, e, node))
		e.World.MachineDead(node)
	}
	before := containerIDs(e)
	result, err := e.Up(t.Context(), optup.Replace(lost))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
	}
	if got := containerIDs(e); !slices.Equal(got, before) {
		t.Errorf("the containers were %v, and are %v", before, got)
	}
	unchanged(t, e)
}

// testAllManagersLost holds that without any of Consul's data the network and its containers are made anew, as where it was on one machine.
func testAllManagersLost(t *testing.T, e *harness.Stack) {
	var lost []string
	for _, node := range []string{"manager", "manager02", "manager03"} {
		lost = append(lost, machineURN(t, e, node))
		e.World.MachineDead(node)
	}
	result, err := e.Up(t.Context(), optup.Replace(lost))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
	}
	inOrder(t, result, "update consul-generation", "update frontend01-join", "update swarm-members", "create mynet", "create redis01")
	unchanged(t, e)
}

// TestOneManagerBecomesThree holds that two managers join a running stack: no machine, network or container is replaced, and nothing that was
// pulled is deleted under a container. On machines that exist it is the same.
func TestOneManagerBecomesThree(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"aws", "hosts"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			settings := ofThreeManagers()
			delete(settings, "managers")
			if platform == "hosts" {
				var hosts []map[string]any
				for i, name := range []string{"manager", "manager02", "manager03", "interlock", "frontend01", "frontend02", "worker01", "store"} {
					hosts = append(hosts, map[string]any{"name": name, "address": fmt.Sprintf("10.0.0.%d", i+1), "hostKey": publicKey(t)})
				}
				settings = map[string]any{"platform": "hosts", "loadBalancer": "haproxy", "hosts": hosts}
			}
			e := simulated(t, settings)
			up(t, e)
			before := containerIDs(e)
			if err := e.Set(map[string]any{"managers": 3}); err != nil {
				t.Fatal(err)
			}
			grown := up(t, e)
			if got := containerIDs(e); !slices.Equal(got, before) {
				t.Errorf("the containers were %v, and are %v", before, got)
			}
			if got := steps(grown); platform == "aws" && (!slices.Equal(got["create machine"], []string{"manager02", "manager03"}) || len(got["delete machine"]) > 0) {
				t.Errorf("machines made %v and deleted %v", got["create machine"], got["delete machine"])
			}
			// Through the Swarm manager, an image is deleted on all engines.
			if got := steps(grown)["delete"]; len(got) > 0 {
				t.Errorf("it deletes %v", got)
			}
			inOrder(t, grown, "update manager-packet-filter", "create manager02-engine", "update consul", "create frontend01-consul", "create frontend02-consul", "update frontend02-join", "update swarm-members")
			unchanged(t, e)
			testSettingsAreRefused(t, e, map[string]any{"managers": 1}, map[string]any{"managers": 3}, "pulumi config set managers 3")
			if platform == "aws" { // nothing gives existing machines back there
				destroyed(t, e)
			}
		})
	}
}
