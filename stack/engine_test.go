package stack_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"golang.org/x/crypto/ssh"

	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
	"swarm-scale/test/simulation"
)

// simulated prepares the program on the real Pulumi engine with simulated providers, which take no time. The settings are the dev
// stack's and the differing ones.
func simulated(t testing.TB, differing map[string]any) *harness.Stack {
	t.Helper()
	return simulatedWith(t, differing, func(*harness.Options) {})
}

// simulatedWith is simulated with changed options.
func simulatedWith(t testing.TB, differing map[string]any, change func(*harness.Options)) *harness.Stack {
	t.Helper()
	options, err := rehearsal.Options(rehearsal.World(0), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(options.Config, differing)
	change(&options)
	return harness.Test(t, options)
}

// up runs `pulumi up`, which has to succeed.
func up(t testing.TB, e *harness.Stack) *harness.Result {
	t.Helper()
	result, err := e.Up(t.Context())
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	return result
}

// unchanged asserts that another up changes nothing.
func unchanged(t testing.TB, e *harness.Stack) {
	t.Helper()
	result := up(t, e)
	if result.Changes() != 0 {
		for _, step := range result.Steps {
			if step.Op != apitype.OpSame {
				t.Errorf("a second up does %s to %s because of %v", step.Op, step.Name, step.Because)
			}
		}
	}
}

// destroyed asserts that destroy leaves nothing behind.
func destroyed(t testing.TB, e *harness.Stack) *harness.Result {
	t.Helper()
	result, err := e.Destroy(t.Context())
	if err != nil {
		t.Fatalf("destroy: %v", err)
	}
	state, err := e.State()
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range state.Resources {
		t.Errorf("destroy leaves %s in the state", left.URN)
	}
	for _, left := range e.World.Objects("*") {
		// The votes are deleted, too, so no retirement runs to drain a queue. Its object stays in the simulated world.
		if !strings.HasSuffix(left.URN.Name(), "-retirement") {
			t.Errorf("destroy leaves %s in the world", left.URN)
		}
	}
	return result
}

// outputs returns the stack's outputs.
func outputs(t testing.TB, e *harness.Stack) auto.OutputMap {
	t.Helper()
	outputs, err := e.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// done lists the providers' changes as "create frontend01", in the order in which they ended.
func done(result *harness.Result) []string {
	var list []string
	for _, record := range result.Records {
		list = append(list, string(record.Op)+" "+record.Name)
	}
	return list
}

// TestStackComesAndGoes holds that a preview announces what up makes, that a second up and a refresh change nothing, that the state
// has no secret in plain text, and that destroy leaves nothing.
func TestStackComesAndGoes(t *testing.T) {
	t.Parallel()
	e := simulated(t, nil)
	preview, err := e.Preview(t.Context())
	if err != nil {
		t.Fatalf("a preview before anything exists: %v", err)
	}
	first := up(t, e)
	if first.Counts[apitype.OpCreate] != preview.Counts[apitype.OpCreate] {
		t.Errorf("the preview announced %d creations, the up made %d", preview.Counts[apitype.OpCreate], first.Counts[apitype.OpCreate])
	}
	if got := len(e.World.Objects("docker:index/container:Container")); got != 8 {
		t.Errorf("%d containers, want 8", got)
	}
	shown := outputs(t, e)
	for name, want := range map[string]string{"voteUrl": "http://votingapp.local", "resultsUrl": "http://", "hostsFileLine": " votingapp.local"} {
		if got, _ := shown[name].Value.(string); !strings.Contains(got, want) {
			t.Errorf("output %s is %q, want %q in it", name, got, want)
		}
	}
	if !shown["statisticsUrl"].Secret {
		t.Error("the statistics' URL, which has the password in it, is no secret")
	}
	if ssh, _ := shown["ssh"].Value.(map[string]any); len(ssh) != 6 {
		t.Errorf("output ssh is %v, want a command for six nodes", shown["ssh"].Value)
	}
	unchanged(t, e)
	refreshed, err := e.Refresh(t.Context())
	if err != nil || refreshed.Changes() != 0 {
		t.Errorf("refresh: %v, %v", refreshed.Counts, err)
	}
	state, err := e.StateFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{rehearsal.PostgresPassword, rehearsal.VoterKey, "OPENSSH PRIVATE KEY"} {
		if strings.Contains(string(state), secret) {
			t.Errorf("the state has %q in plain text", secret)
		}
	}
	destroyed(t, e)
}

// machineURN returns the URN of a node's instance in the state.
func machineURN(t testing.TB, e *harness.Stack, name string) string {
	t.Helper()
	return urn(t, e, instanceType, name)
}

// urn returns the URN of a resource in the state.
func urn(t testing.TB, e *harness.Stack, token, name string) string {
	t.Helper()
	state, err := e.State()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(state.Resources, func(r apitype.ResourceV3) bool { return string(r.Type) == token && r.URN.Name() == name })
	if at < 0 {
		t.Fatalf("the state has no %s named %s", token, name)
	}
	return string(state.Resources[at].URN)
}

const instanceType = "aws:ec2/instance:Instance"

// steps groups the names of changed resources by operation, with machines apart.
func steps(result *harness.Result) map[string][]string {
	names := map[string][]string{}
	for _, record := range result.Records {
		key := string(record.Op)
		if record.Type == instanceType {
			key += " machine"
		}
		names[key] = append(names[key], record.Name)
	}
	for _, list := range names {
		slices.Sort(list)
	}
	return names
}

// inOrder asserts that these steps were done one after another, with any others in between.
func inOrder(t *testing.T, result *harness.Result, want ...string) {
	t.Helper()
	list, from := done(result), 0
	for _, step := range want {
		at := slices.Index(list[from:], step)
		if at < 0 {
			t.Errorf("%q did not come after %v in\n%s", step, want, strings.Join(list, "\n"))
			return
		}
		from += at + 1
	}
}

// TestDeployed runs what starts from the dev stack as it is after `pulumi up`. It is deployed once, and each test has a
// clone.
func TestDeployed(t *testing.T) {
	t.Parallel()
	deployed := simulated(t, nil)
	up(t, deployed)
	for name, test := range map[string]func(*testing.T, *harness.Stack){
		"PreviewAndDestroyNeedNoMachine": testPreviewAndDestroyNeedNoMachine, "ScaleUpAndDown": testScaleUpAndDown, "NewerAMIIsForNewMachines": testNewerAMIIsForNewMachines,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, deployed.Clone(t))
		})
	}
	t.Run("ReplacedMachineGetsEverythingAgain", func(t *testing.T) { testReplacedMachineGetsEverythingAgain(t, deployed) })
}

// testReplacedMachineGetsEverythingAgain replaces each machine, alive and dead. It holds what is replaced or run again, in which
// order, and that nothing else is.
func testReplacedMachineGetsEverythingAgain(t *testing.T, deployed *harness.Stack) {
	for node, want := range map[string]struct {
		created []string // besides the machine and its presence
		updated []string // commands that run again
		order   []string // one after another
	}{
		// Consul is on the manager, the overlay is in Consul, and every container is on the overlay.
		"manager": {
			created: []string{"frontend01", "frontend02", "mynet", "pg", "redis01", "redis02", "results-app", "swarm-image-manager", "worker01"},
			// The members' joins make their engines follow the new Consul.
			updated: []string{"check", "consul", "frontend01-healthy", "frontend01-join", "frontend01-retirement", "frontend02-healthy", "frontend02-join", "frontend02-retirement",
				"manager-engine", "manager-packet-filter", "manager-ready", "pg-roles", "redis01-healthy", "redis02-healthy", "store-join", "swarm-manager", "swarm-members", "worker01-join"},
			order: []string{"delete manager", "create manager", "update manager-packet-filter", "update manager-ready", "update manager-engine", "update swarm-manager",
				"update swarm-members", "create mynet", "create frontend01", "create frontend02"},
		},
		"interlock": {
			created: []string{"interlock-image-interlock", "load-balancer"},
			updated: []string{"check", "interlock-engine", "interlock-packet-filter", "interlock-ready"},
			order: []string{"delete interlock", "create interlock", "update interlock-packet-filter", "update interlock-ready", "update interlock-engine",
				"create interlock-image-interlock", "create load-balancer"},
		},
		"frontend01": {
			created: []string{"frontend01", "frontend01-disk-attachment", "redis-image-frontend01", "redis01", "redis01-data", "swarm-image-frontend01", "web-vote-app-frontend01"},
			updated: []string{"check", "frontend01-disk-mount", "frontend01-engine", "frontend01-healthy", "frontend01-join", "frontend01-packet-filter", "frontend01-ready", "frontend01-secrets", "redis01-configuration", "redis01-healthy", "redis01-secrets", "swarm-members"},
			order: []string{"delete frontend01", "create frontend01", "create frontend01-disk-attachment", "update frontend01-packet-filter", "update frontend01-ready", "update frontend01-disk-mount", "update frontend01-engine",
				"update frontend01-join", "update swarm-members", "create frontend01"},
		},
		"worker01": {
			created: []string{"swarm-image-worker01", "vote-worker-worker01", "worker01"},
			updated: []string{"check", "swarm-members", "worker01-configuration", "worker01-engine", "worker01-join", "worker01-packet-filter", "worker01-ready", "worker01-secrets"},
			order: []string{"delete worker01", "create worker01", "update worker01-packet-filter", "update worker01-ready", "update worker01-engine",
				"create vote-worker-worker01", "create worker01"},
		},
		"store": {
			created: []string{"pg", "pg-data", "postgres-image-store", "results-app", "results-app-store", "store-disk-attachment", "swarm-image-store"},
			updated: []string{"check", "pg-roles", "pg-secrets", "results-app-secrets", "store-disk-mount", "store-engine", "store-join", "store-packet-filter", "store-ready", "swarm-members"},
			order: []string{"delete store", "create store", "create store-disk-attachment", "update store-packet-filter", "update store-ready", "update store-disk-mount", "update store-engine",
				"create pg-data", "create pg"},
		},
	} {
		for _, dead := range []bool{false, true} {
			name := node + " alive"
			if dead {
				name = node + " dead"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				e := deployed.Clone(t)
				if dead {
					e.World.MachineDead(node)
				}
				disks := e.World.Objects("aws:ebs/volume:Volume")
				result, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, node)}))
				if err != nil {
					t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
				}
				got := steps(result)
				if machines := got["create machine"]; !slices.Equal(machines, []string{node}) {
					t.Errorf("machines made: %v, want %s alone", machines, node)
				}
				created := append([]string{node + "-presence"}, want.created...)
				slices.Sort(created)
				if !slices.Equal(got["create"], created) {
					t.Errorf("created: %v, want %v", got["create"], created)
				}
				if !slices.Equal(got["update"], want.updated) {
					t.Errorf("run again: %v, want %v", got["update"], want.updated)
				}
				inOrder(t, result, want.order...)
				for i, disk := range e.World.Objects("aws:ebs/volume:Volume") {
					if len(disks) != 3 || disk.ID != disks[i].ID {
						t.Errorf("the disk %s is %s, and was among %v", disk.URN.Name(), disk.ID, disks)
					}
				}
				unchanged(t, e)
				destroyed(t, e)
			})
		}
	}
}

// TestUpAfterAFailureMakesTheRest holds that a failure keeps what was made, and that the next up makes only the rest.
func TestUpAfterAFailureMakesTheRest(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"frontend02", "swarm-members", "mynet", "redis02"} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			e := simulated(t, nil)
			e.World.FailNext(pattern, simulation.Create, errors.New("InsufficientInstanceCapacity"))
			first, err := e.Up(t.Context())
			if err == nil || !strings.Contains(err.Error(), "InsufficientInstanceCapacity") || !strings.Contains(err.Error(), pattern) {
				t.Fatalf("the failure is told as: %v", err)
			}
			second := up(t, e)
			for _, name := range steps(second)["create"] {
				if slices.Contains(steps(first)["create"], name) && name != pattern {
					t.Errorf("the repaired run made %s again", name)
				}
			}
			for _, name := range steps(second)["create machine"] {
				if slices.Contains(steps(first)["create machine"], name) && name != pattern {
					t.Errorf("the repaired run made the machine %s again", name)
				}
			}
			unchanged(t, e)
			destroyed(t, e)
		})
	}
}

// testPreviewAndDestroyNeedNoMachine holds that both work when every machine is down.
func testPreviewAndDestroyNeedNoMachine(t *testing.T, e *harness.Stack) {
	for _, node := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
		e.World.MachineDead(node)
	}
	preview, err := e.Preview(t.Context())
	if err != nil || preview.Changes() != 0 {
		t.Errorf("a preview with every machine down: %v, %v", preview.Counts, err)
	}
	if err := e.Set(map[string]any{"frontends": 3}); err != nil {
		t.Fatal(err)
	}
	if preview, err = e.Preview(t.Context()); err != nil || preview.Counts[apitype.OpCreate] == 0 {
		t.Errorf("a preview of one more frontend with every machine down: %v, %v", preview.Counts, err)
	}
	destroyed(t, e)
}

// testScaleUpAndDown holds that adding and removing frontends does not touch those that stay, and that a queue is drained before it
// is deleted.
func testScaleUpAndDown(t *testing.T, e *harness.Stack) {
	if err := e.Set(map[string]any{"frontends": 10, "workers": 2}); err != nil {
		t.Fatal(err)
	}
	grown := up(t, e)
	if got := steps(grown); len(got["create machine"]) != 9 || len(got["delete machine"]) != 0 {
		t.Errorf("growing makes machines %v and deletes %v", got["create machine"], got["delete machine"])
	}
	if got := steps(grown)["delete"]; len(got) > 0 {
		t.Errorf("growing deletes %v, want nothing", got)
	}
	if got := steps(grown)["update"]; !slices.Contains(got, "worker01-configuration") {
		t.Errorf("growing updates %v, and does not tell the worker of more queues", got)
	}
	// Those that were there let the new ones in before these call.
	inOrder(t, grown, "update frontend01-packet-filter", "create frontend10-ready")
	unchanged(t, e)

	var mutex sync.Mutex
	var retired []string
	e.World.OnCommand("*-- delete *-retirement", func(x simulation.Execution) (simulation.Outcome, error) {
		mutex.Lock()
		defer mutex.Unlock()
		retired = append(retired, x.Name)
		return simulation.Outcome{}, nil
	})
	if err := e.Set(map[string]any{"frontends": 2, "workers": 1}); err != nil {
		t.Fatal(err)
	}
	shrunk := up(t, e)
	if got := steps(shrunk); len(got["delete machine"]) != 9 || len(got["create machine"]) != 0 {
		t.Errorf("shrinking deletes machines %v and makes %v", got["delete machine"], got["create machine"])
	}
	for _, number := range []string{"03", "04", "05", "06", "07", "08", "09", "10"} {
		inOrder(t, shrunk, "delete frontend"+number+"-retirement", "delete frontend"+number)
	}
	if len(retired) != 8 {
		t.Errorf("queues drained: %v, want eight", retired)
	}
	unchanged(t, e)
	destroyed(t, e)
}

// TestChangedBallotReplacesItsContainers holds that a changed ballot replaces the containers that show it and nothing else, the
// frontends in two waves.
func TestChangedBallotReplacesItsContainers(t *testing.T) {
	t.Parallel()
	e := simulated(t, map[string]any{"frontends": 4})
	up(t, e)
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	result := up(t, e)
	if got, want := steps(result)["create"], []string{"frontend01", "frontend02", "frontend03", "frontend04", "results-app"}; !slices.Equal(got, want) {
		t.Errorf("a changed ballot replaces %v, want %v", got, want)
	}
	inWaves(t, result, []string{"frontend01", "frontend03"}, []string{"frontend02", "frontend04"})
	unchanged(t, e)
}

// inWaves asserts that containers of the second wave are deleted only after all of the first work.
func inWaves(t *testing.T, result *harness.Result, first, second []string) {
	t.Helper()
	for _, record := range result.Records {
		if record.Op != simulation.Delete || !slices.Contains(second, record.Name) {
			continue
		}
		for _, other := range result.Records {
			if awaited := strings.TrimSuffix(other.Name, "-healthy"); awaited != other.Name && slices.Contains(first, awaited) && record.Start.Before(other.End) {
				t.Errorf("%s was stopped before %s worked", record.Name, awaited)
			}
		}
	}
	for _, name := range slices.Concat(first, second) {
		inOrder(t, result, "delete "+name, "create "+name)
	}
}

// TestQueuesAreReplacedInTwoWaves holds that a change that replaces the queues' containers leaves half of them running, and waits
// until those of the first half work.
func TestQueuesAreReplacedInTwoWaves(t *testing.T) {
	t.Parallel()
	e := simulated(t, map[string]any{"frontends": 4})
	up(t, e)
	if err := e.Set(map[string]any{"redisImage": "redis:7.2.6"}); err != nil {
		t.Fatal(err)
	}
	inWaves(t, up(t, e), []string{"redis01", "redis03"}, []string{"redis02", "redis04"})
	unchanged(t, e)
}

// TestRunningQueuesAreToldOfASetting holds that a changed redisAppendfsync replaces no container.
func TestRunningQueuesAreToldOfASetting(t *testing.T) {
	t.Parallel()
	e := simulated(t, nil)
	up(t, e)
	if err := e.Set(map[string]any{"redisAppendfsync": "everysec"}); err != nil {
		t.Fatal(err)
	}
	result := up(t, e)
	if got, want := steps(result), map[string][]string{"update": {"redis01-configuration", "redis02-configuration"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("a changed redisAppendfsync does %v, want %v", got, want)
	}
	unchanged(t, e)
}

// testNewerAMIIsForNewMachines holds that a newer AMI replaces no running machine, and that new machines get it.
func testNewerAMIIsForNewMachines(t *testing.T, e *harness.Stack) {
	e.World.SetAMI("ami-fedcba9876543210f")
	unchanged(t, e)
	if err := e.Set(map[string]any{"frontends": 3}); err != nil {
		t.Fatal(err)
	}
	up(t, e)
	for _, machine := range e.World.Objects(instanceType) {
		want := machine.URN.Name() == "frontend03"
		if got := machine.Inputs["ami"].StringValue() == "ami-fedcba9876543210f"; got != want {
			t.Errorf("%s has the newer AMI: %v, want %v", machine.URN.Name(), got, want)
		}
	}
}

// TestInvalidSettingsFailUp holds that `pulumi up` reports all faults and makes nothing.
func TestInvalidSettingsFailUp(t *testing.T) {
	t.Parallel()
	e := simulated(t, map[string]any{"frontends": 999, "operatorCidr": "0.0.0.0/0"})
	_, err := e.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "swarm-scale:frontends") || !strings.Contains(err.Error(), "swarm-scale:operatorCidr") {
		t.Errorf("the error is %v", err)
	}
	if made := e.World.Objects("*"); len(made) != 0 {
		t.Errorf("%d objects were made", len(made))
	}
}

// TestHostsAreTakenAndGivenBack holds that a stack on existing machines makes no AWS resource, that a reinstalled machine gets
// everything again, and that destroy clears every machine that answers and skips one that does not.
func TestHostsAreTakenAndGivenBack(t *testing.T) {
	t.Parallel()
	hosts, keys := []map[string]any{}, map[string]string{}
	for _, name := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
		keys[name] = publicKey(t)
		hosts = append(hosts, map[string]any{"name": name, "address": "10.0.0." + strconv.Itoa(len(hosts)+1), "hostKey": keys[name]})
	}
	address := func(name string) string {
		i := slices.IndexFunc(hosts, func(host map[string]any) bool { return host["name"] == name })
		return hosts[i]["address"].(string)
	}
	e := simulated(t, map[string]any{"platform": "hosts", "hosts": hosts})
	dead := ""
	e.World.OnCommand("*-presence", func(command simulation.Execution) (simulation.Outcome, error) {
		if command.Op != simulation.Delete {
			return simulation.Outcome{}, nil
		}
		name := strings.TrimSuffix(command.Name, "-presence")
		line := command.Environment["SSH_DELETE"]
		if !strings.Contains(line, "@"+address(name)+" ") || !strings.Contains(command.Text, "SSH_DELETE") {
			t.Errorf("%s gives the wrong machine back: %s: %s", command.Name, command.Text, line)
		}
		if name == dead || !strings.Contains(line, keys[name]) {
			return simulation.Outcome{Stderr: "leave: does not answer as the machine it was"}, nil
		}
		e.World.Clear(name, address(name))
		return simulation.Outcome{}, nil
	})
	up(t, e)
	if machines := e.World.Objects("aws:*"); len(machines) != 0 {
		t.Errorf("%d resources of AWS were made", len(machines))
	}
	if got := outputs(t, e)["hostsFileLine"].Value; got != "10.0.0.2 votingapp.local" {
		t.Errorf("output hostsFileLine is %v", got)
	}
	unchanged(t, e)

	e.World.Clear("frontend01", address("frontend01"))
	keys["frontend01"] = publicKey(t)
	hosts[2]["hostKey"] = keys["frontend01"]
	if err := e.Set(map[string]any{"hosts": hosts}); err != nil {
		t.Fatal(err)
	}
	second := steps(up(t, e))
	if want := []string{"frontend01", "frontend01-machine", "frontend01-presence", "redis-image-frontend01", "redis01", "redis01-data", "swarm-image-frontend01", "web-vote-app-frontend01"}; !slices.Equal(second["create"], want) {
		t.Errorf("made on the reinstalled machine: %v, want %v", second["create"], want)
	}
	for _, name := range []string{"frontend01-ready", "frontend01-engine", "frontend01-join", "swarm-members", "check"} {
		if !slices.Contains(second["update"], name) {
			t.Errorf("%s did not run on the reinstalled machine, only %v", name, second["update"])
		}
	}
	unchanged(t, e)

	dead = "frontend02"
	e.World.MachineDead(dead)
	e.World.MachineDead(address(dead))
	if _, err := e.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, left := range e.World.Objects("docker:*") {
		if machine := string(left.Machine); machine != dead && machine != address(dead) {
			t.Errorf("destroy leaves %s on %s", left.URN.Name(), machine)
		}
	}
}

// publicKey returns the public half of a new host key.
func publicKey(t *testing.T) string {
	t.Helper()
	private, err := simulation.NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

// TestHostsByNameAndIPv6HaveOutputsToUse holds the outputs of a stack whose machines are reached by names and IPv6 addresses.
func TestHostsByNameAndIPv6HaveOutputsToUse(t *testing.T) {
	t.Parallel()
	var hosts []map[string]any
	for i, address := range []string{"manager.example", "localhost", "2001:db8::3", "10.0.0.4", "worker.example", "2001:db8::6"} {
		hosts = append(hosts, map[string]any{
			"name":    []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"}[i],
			"address": address, "privateAddress": "10.0.0." + strconv.Itoa(i+1), "hostKey": publicKey(t),
		})
	}
	hosts[2]["port"] = 2222
	e := simulated(t, map[string]any{"platform": "hosts", "hosts": hosts})
	up(t, e)
	shown := outputs(t, e)
	for name, want := range map[string]string{"resultsUrl": "http://[2001:db8::6]", "hostsFileLine": "10.0.0.2 votingapp.local"} {
		if got := shown[name].Value; got != want {
			t.Errorf("output %s is %v, want %s", name, got, want)
		}
	}
	if got := shown["ssh"].Value.(map[string]any)["frontend01"]; !strings.HasSuffix(got.(string), " -p 2222 ubuntu@2001:db8::3") {
		t.Errorf("output ssh has %v for frontend01", got)
	}
	unchanged(t, e)
}

// TestContainerThatDoesNotGetHealthySpeaks holds that up shows what the container itself says, that the second wave stays as it was,
// and that the next up goes on.
func TestContainerThatDoesNotGetHealthySpeaks(t *testing.T) {
	t.Parallel()
	e := simulated(t, nil)
	up(t, e)
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	const words = "its log ends: the queue at redis01:6379 refuses writes"
	broken := true
	e.World.OnCommand("frontend01-healthy", func(command simulation.Execution) (simulation.Outcome, error) {
		if broken {
			return simulation.Outcome{Stderr: words}, errors.New("exit status 1: " + words)
		}
		return simulation.Outcome{}, nil
	})
	failed, err := e.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the failure is told as: %v", err)
	}
	if got := steps(failed); slices.Contains(got["delete"], "frontend02") || slices.Contains(got["create"], "frontend02") {
		t.Errorf("the second wave was replaced although the first is broken: %v", got)
	}
	broken = false
	second := up(t, e)
	inOrder(t, second, "update frontend01-healthy", "create frontend02")
	unchanged(t, e)
	destroyed(t, e)
}
