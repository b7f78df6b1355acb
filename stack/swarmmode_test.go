package stack_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/infra"
	"swarm-scale/stack"
	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
	"swarm-scale/test/simulation"
)

// The docker provider's types of what is a swarm's.
const (
	serviceType = "docker:index/service:Service"
	networkType = "docker:index/network:Network"
)

// inSwarmMode are the settings that make the dev stack's cluster one of swarm mode.
func inSwarmMode() map[string]any {
	return map[string]any{"cluster": "swarm-mode", "loadBalancer": "haproxy"}
}

// TestSwarmModeDeployed runs what starts from the dev stack in swarm mode as it is after `pulumi up`. It is deployed once, and each test has
// a clone.
func TestSwarmModeDeployed(t *testing.T) {
	t.Parallel()
	deployed := simulated(t, inSwarmMode())
	preview, err := deployed.Preview(t.Context())
	if err != nil {
		t.Fatalf("a preview before anything exists: %v", err)
	}
	first := up(t, deployed)
	if first.Counts[apitype.OpCreate] != preview.Counts[apitype.OpCreate] {
		t.Errorf("the preview announced %d creations, the up made %d", preview.Counts[apitype.OpCreate], first.Counts[apitype.OpCreate])
	}
	if got := len(deployed.World.Objects(serviceType)); got != 7 {
		t.Errorf("%d services, want 7", got)
	}
	state, err := deployed.StateFile()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state), "SWMTKN") {
		t.Error("the state has a token of the swarm in plain text")
	}
	unchanged(t, deployed)
	for name, test := range map[string]func(*testing.T, *harness.Stack){
		"ScaleUpAndDown": testScaleUpAndDown, "PreviewAndDestroyNeedNoMachine": testPreviewNeedsNoMachine,
		"ServiceThatDoesNotWorkSpeaks": testServiceThatDoesNotWorkSpeaks, "LostManagerIsReplaced": testLostManagerIsReplaced, "LostFrontendIsReplaced": testLostFrontendIsReplaced, "DeadManager": testUpWorksWhileAManagerIsDead,
		"EngineThatHasGivenUpJoinsAnew": testEngineThatHasGivenUpJoinsAnew, "KindIsKept": testKindIsKept,
		"SwarmWithoutLeaderIsAskedAgain": testSwarmWithoutLeaderIsAskedAgain,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, deployed.Clone(t))
		})
	}
}

// testPreviewNeedsNoMachine holds that a preview works when every machine is down.
func testPreviewNeedsNoMachine(t *testing.T, e *harness.Stack) {
	for _, node := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
		e.World.MachineDead(node)
	}
	preview, err := e.Preview(t.Context())
	if err != nil || preview.Changes() != 0 {
		t.Errorf("a preview with every machine down: %v, %v", preview.Counts, err)
	}
}

// testLostManagerIsReplaced holds that the swarm goes on when the machine that made it is lost, with everything in it, and that a second up
// changes nothing.
func testLostManagerIsReplaced(t *testing.T, e *harness.Stack) {
	e.World.MachineDead("manager")
	second, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, "manager")}))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(second), "\n"))
	}
	if got := steps(second)["create"]; !slices.Equal(got, []string{"manager-join", "manager-presence"}) {
		t.Errorf("made anew: %v", got)
	}
	inOrder(t, second, "create manager", "update manager-engine", "update manager-way", "create manager-join", "update swarm-members")
	unchanged(t, e)
	// Now worker01 is asked, which has a service, too.
	e.World.MachineDead("worker01")
	if third, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, "worker01")})); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(third), "\n"))
	}
	unchanged(t, e)
	destroyed(t, e)
}

// testSwarmWithoutLeaderIsAskedAgain holds that a deployment goes on when the swarm's leader is gone for a moment.
func testSwarmWithoutLeaderIsAskedAgain(t *testing.T, e *harness.Stack) {
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	e.World.FailNext("frontend01", simulation.Update, errors.New("Error response from daemon: rpc error: code = Unavailable desc = error reading from server: EOF"))
	e.World.FailNext("frontend02", simulation.Update, errors.New("Error response from daemon: rpc error: code = Unknown desc = The swarm does not have a leader."))
	up(t, e)
	e.World.FailNext("frontend02", simulation.Delete, errors.New("Error deleting service with ID 'x': Error response from daemon: rpc error: code = Unavailable desc = error reading from server: EOF"))
	if _, err := e.Up(t.Context(), optup.Replace([]string{urn(t, e, networkType, "mynet")})); err != nil {
		t.Fatal(err)
	}
	unchanged(t, e)
}

// testKindIsKept holds that another kind of cluster is refused, and so are zones, with all that they need, where there is one.
func testKindIsKept(t *testing.T, e *harness.Stack) {
	testSettingsAreRefused(t, e, map[string]any{"cluster": "standalone"}, map[string]any{"cluster": "swarm-mode"}, "pulumi config set cluster swarm-mode")
	zones := map[string]any{"zones": 3, "frontends": 3, "availabilityZone": "us-west-1a us-west-1b us-west-1c"}
	testSettingsAreRefused(t, e, zones, map[string]any{"zones": nil, "frontends": 2, "availabilityZone": nil}, "pulumi config set zones 1")
}

// testEngineThatHasGivenUpJoinsAnew holds that a worker and a manager whose certificates have expired join anew with a token of theirs. The
// dead one goes before. A machine that is off is left alone, and nothing else changes.
func testEngineThatHasGivenUpJoinsAnew(t *testing.T, e *harness.Stack) {
	var mutex sync.Mutex
	var asked []string
	rest := rehearsal.Shell(e.World)
	e.SetProgram(stack.Program(func(ctx context.Context, login infra.Login, script string) (string, error) {
		name := login.Command[strings.LastIndex(login.Command, " ")+1:]
		answers := map[string]string{
			"down":          "Welcome!\ndown: frontend01 f1\ndown: worker01 w1\ndown: store s1\ndown: stranger x1\n",
			"given-up":      map[string]string{"frontend01": "given up: error Swarm certificates have expired.\n", "worker01": "given up: inactive\n"}[login.Node],
			"drop":          "token: SWMTKN-" + rehearsal.Variable(script, "ROLE") + " 192.168.33.11\n",
			"join":          "join: in the swarm\n",
			"swarm-members": "members: all ready\n",
		}
		answer, ok := answers[name]
		if !ok {
			return rest(ctx, login, script)
		}
		if name == "given-up" && login.Node == "store" {
			return "", errors.New("ssh: connect to host store port 22: Connection timed out")
		}
		if name != "down" && name != "given-up" {
			mutex.Lock()
			defer mutex.Unlock()
			asked = append(asked, strings.TrimSpace(fmt.Sprintln(login.Node, name, rehearsal.Variable(script, "ID"), rehearsal.Variable(script, "TOKEN"))))
		}
		return answer, nil
	}))
	unchanged(t, e)
	want := []string{
		"manager drop f1", "frontend01 join  SWMTKN-worker 192.168.33.11", "manager drop w1", "worker01 join  SWMTKN-manager 192.168.33.11", "manager swarm-members",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked:\n%s\nwant:\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
}

// testLostFrontendIsReplaced holds that what ran on a lost machine comes back on the next one, and nothing else changes. Its services are deleted
// before Pulumi has come to the swarm's provider.
func testLostFrontendIsReplaced(t *testing.T, e *harness.Stack) {
	e.World.MachineDead("frontend02")
	second, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, "frontend02")}))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(second), "\n"))
	}
	inOrder(t, second, "create frontend02", "update frontend02-engine", "update frontend02-way", "create frontend02-join", "update swarm-members", "create redis02")
	for _, name := range steps(second)["replace"] {
		if !strings.Contains(name, "02") {
			t.Errorf("%s was replaced", name)
		}
	}
	unchanged(t, e)
}

// testServiceThatDoesNotWorkSpeaks holds that up shows what the container of a rolled back service says, that the second wave stays as
// it was, and that the next up goes on.
func testServiceThatDoesNotWorkSpeaks(t *testing.T, e *harness.Stack) {
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	e.World.FailNext("frontend01", simulation.Update, errors.New("service failed to converge: rolled back"))
	failed, err := e.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "rolled back") || !strings.Contains(err.Error(), "frontend01 does not work:\n  its log ends:   the queue refuses writes") {
		t.Errorf("the failure is told as: %v", err)
	}
	if got := steps(failed); slices.Contains(got["update"], "frontend02") {
		t.Errorf("the second wave was changed although the first is broken: %v", got)
	}
	inOrder(t, up(t, e), "update frontend01", "update frontend02")
	unchanged(t, e)
}

// testUpWorksWhileAManagerIsDead holds that a changed ballot reaches its services while the first manager does not answer.
func testUpWorksWhileAManagerIsDead(t *testing.T, e *harness.Stack) {
	e.World.MachineDead("manager")
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	result := up(t, e)
	updated := 0
	for _, record := range result.Records {
		if record.Type == serviceType && record.Op == simulation.Update {
			updated++
		}
	}
	if updated != 3 {
		t.Errorf("%d services were updated, want 3: %v", updated, steps(result))
	}
}

// TestServicesAreTheWalkThroughs holds the services' inputs, and how many resources the cluster makes.
func TestServicesAreTheWalkThroughs(t *testing.T) {
	for name, values := range map[string]map[string]string{"aws": onSwarmMode(awsSettings()), "hosts": onSwarmMode(hostsSettings(t))} {
		t.Run(name, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string]int{}
			for _, r := range resources {
				counts[r.token]++
			}
			for token, want := range map[string]int{serviceType: 7, networkType: 1, "docker:index/container:Container": 1, "docker:index/volume:Volume": 3, "pulumi:providers:docker": 7} {
				if counts[token] != want {
					t.Errorf("%d resources of type %s, want %d", counts[token], token, want)
				}
			}
			for name, want := range map[string]struct{ node, image, environment, ports, mounts string }{
				"redis01": {"frontend01", "sha256:pulled", "", "", "volume redis01-data /data, bind /etc/swarm-scale/redis01 /usr/local/etc/redis, bind /etc/swarm-scale/redis01.secrets /run/secrets"},
				"frontend02": {"frontend02", "sha256:built", "OPTION_A=Cats OPTION_B=Dogs REDIS_ADDRESS=redis02:6379 REDIS_PASSWORD_FILE=/run/secrets/redis-password VOTER_KEY_FILE=/run/secrets/voter-key WEB_VOTE_NUMBER=02",
					"5000→80", "bind /etc/swarm-scale/frontend02.secrets /run/secrets"},
				"pg": {"store", "sha256:pulled", "PGDATA=/var/lib/postgresql/data POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password", "",
					"volume pg-data /var/lib/postgresql/data, bind /etc/swarm-scale/pg.secrets /run/secrets, tmpfs  /tmp, tmpfs  /var/run/postgresql"},
				"worker01": {"worker01", "sha256:built", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password REDIS_ADDRESSES_FILE=/etc/vote-worker/queues REDIS_PASSWORD_FILE=/run/secrets/redis-password WORKER_NUMBER=01", "",
					"bind /etc/swarm-scale/worker01 /etc/vote-worker, bind /etc/swarm-scale/worker01.secrets /run/secrets"},
				"results-app": {"store", "sha256:built", "CONNECTIONS_PER_ADDRESS=1000 OPTION_A=Cats OPTION_B=Dogs POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password TRUSTED_PROXIES=192.168.33.12 VIEWERS_PER_ADDRESS=500 VOTE_COPIES=1",
					"80→80", "bind /etc/swarm-scale/results-app.secrets /run/secrets"},
			} {
				s := find(t, resources, serviceType, name)
				task := plain(s.inputs["taskSpec"]).ObjectValue()
				container := task["containerSpec"].ObjectValue()
				if got := container["image"].StringValue(); got != want.image {
					t.Errorf("%s: image %s, want %s", name, got, want.image)
				}
				if got := text(t, task["placement"].ObjectValue()["constraints"]); got != `["node.hostname==`+want.node+`"]` {
					t.Errorf("%s: placed by %s, want on %s", name, got, want.node)
				}
				var environment, mounts, ports []string
				if container.HasValue("env") {
					for key, value := range container["env"].ObjectValue() {
						environment = append(environment, string(key)+"="+value.StringValue())
					}
				}
				slices.Sort(environment)
				if got := strings.Join(environment, " "); got != want.environment {
					t.Errorf("%s: environment %s, want %s", name, got, want.environment)
				}
				for _, mount := range container["mounts"].ArrayValue() {
					one := mount.ObjectValue()
					source := ""
					if one.HasValue("source") {
						source = one["source"].StringValue()
					}
					if one["type"].StringValue() == "bind" && !one["readOnly"].BoolValue() {
						t.Errorf("%s may write to %s", name, source)
					}
					mounts = append(mounts, one["type"].StringValue()+" "+source+" "+one["target"].StringValue())
				}
				if got := strings.Join(mounts, ", "); got != want.mounts {
					t.Errorf("%s: mounts %s, want %s", name, got, want.mounts)
				}
				locks(t, name, container)
				endpoint := plain(s.inputs["endpointSpec"]).ObjectValue()
				if endpoint.HasValue("ports") {
					for _, port := range endpoint["ports"].ArrayValue() {
						p := port.ObjectValue()
						if p["publishMode"].StringValue() != "host" {
							t.Errorf("%s publishes a port by the mesh", name)
						}
						ports = append(ports, fmt.Sprintf("%v→%v", p["publishedPort"].NumberValue(), p["targetPort"].NumberValue()))
					}
				}
				if got := strings.Join(ports, " "); got != want.ports || endpoint["mode"].StringValue() != "dnsrr" {
					t.Errorf("%s: ports %q, want %q, resolved by %s", name, got, want.ports, endpoint["mode"].StringValue())
				}
				if text(t, container["capDrops"]) != `["ALL"]` || !container.HasValue("healthcheck") || task["resources"].ObjectValue()["limits"].ObjectValue()["memoryBytes"].NumberValue() == 0 {
					t.Errorf("%s: capabilities, health check or memory are not set: %v", name, container)
				}
				if !s.request.GetDeleteBeforeReplace() || s.request.GetDeletedWith() == "" || len(s.request.GetReplaceWith()) != 2 {
					t.Errorf("%s: want it deleted before it is replaced, gone with the swarm, and replaced with network and machine: %v", name, s.request)
				}
			}
			for _, node := range []string{"manager", "frontend01", "frontend02", "worker01", "store"} {
				stdin := plain(find(t, resources, "command:remote:Command", node+"-join").inputs["stdin"]).StringValue()
				token := tokenPrefix + "worker"
				if node == "manager" || node == "worker01" || node == "store" {
					token = tokenPrefix + "manager"
				}
				if !strings.Contains(stdin, "export TOKEN='"+token+" 192.168.33.11'\n") {
					t.Errorf("%s joins with another token than %s", node, token)
				}
			}
			for _, r := range resources {
				if strings.Contains(r.name, "interlock-join") || strings.Contains(r.name, "consul") {
					t.Errorf("%s %s was registered", r.token, r.name)
				}
				for key, value := range r.inputs {
					if shown := openText(value); strings.Contains(shown, "SWMTKN") || strings.Contains(shown, password) || strings.Contains(shown, voterKey) {
						t.Errorf("%s %s: input %s holds a secret in plain text", r.token, r.name, key)
					}
				}
			}
		})
	}
}
