package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/simulation"
	"swarm-scale/simulation/engine"
	"swarm-scale/stack"
)

// simulated prepares the program on the real engine and simulated providers, with the dev stack's settings and whatever
// differs from them.
func simulated(t testing.TB, scale float64, differing map[string]any) *engine.Engine {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
	config := map[string]any{"keyPair": "poll", "operatorCidr": "203.0.113.7/32"}
	maps.Copy(config, differing)
	return engine.Test(t, engine.Options{
		Program:  stack.Deploy,
		Project:  "../Pulumi.yaml",
		Settings: "../Pulumi.dev.yaml",
		Config:   config,
		Secrets:  map[string]string{"postgresPassword": password, "voterKey": voterKey},
		World:    simulation.NewWorld(scale),
		Parallel: 512,
	})
}

func up(t testing.TB, e *engine.Engine) *engine.Result {
	t.Helper()
	result, err := e.Up(t.Context())
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	return result
}

// unchanged asserts that a further up has nothing to do.
func unchanged(t testing.TB, e *engine.Engine) {
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
func destroyed(t testing.TB, e *engine.Engine) *engine.Result {
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
		t.Errorf("destroy leaves %+v in the world", left)
	}
	return result
}

// done lists what the providers were asked to change, as "create frontend01", in the order in which it ended.
func done(result *engine.Result) []string {
	var list []string
	for _, record := range simulation.Changes(result.Records) {
		list = append(list, string(record.Op)+" "+record.Name)
	}
	return list
}

// TestLife is the life of the dev stack: previewed, made, left alone, refreshed, taken away.
func TestLife(t *testing.T) {
	e := simulated(t, 0, nil)
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
	for name, want := range map[string]string{"voteUrl": "http://votingapp.local", "resultsUrl": "http://", "hostsFileLine": " votingapp.local"} {
		if got, _ := first.Outputs[name].Value.(string); !strings.Contains(got, want) {
			t.Errorf("output %s is %q, want %q in it", name, got, want)
		}
	}
	if !first.Outputs["statisticsUrl"].Secret {
		t.Error("the statistics' URL, with the password in it, is no secret")
	}
	if ssh, _ := first.Outputs["ssh"].Value.(map[string]any); len(ssh) != 6 {
		t.Errorf("output ssh is %v, want a command for six nodes", first.Outputs["ssh"].Value)
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
	for _, secret := range []string{password, voterKey, "OPENSSH PRIVATE KEY"} {
		if strings.Contains(string(state), secret) {
			t.Errorf("the state has %q in plain text", secret)
		}
	}
	destroyed(t, e)
}

// TestMachineReplaced replaces each machine in turn, dead or alive, and holds what follows it, in which order, and that the
// rest is left alone.
func TestMachineReplaced(t *testing.T) {
	for node, follows := range map[string][]string{
		"manager":    {"mynet", "frontend01", "frontend02", "redis01", "redis02", "worker01", "pg", "results-app"},
		"interlock":  {"interlock"},
		"frontend01": {"redis01", "redis01-data", "frontend01", "redis-image-frontend01", "web-vote-app-frontend01"},
		"worker01":   {"worker01", "vote-worker-worker01"},
		"store":      {"pg", "pg-data", "postgres-image-store", "results-app", "results-app-store"},
	} {
		for _, dead := range []bool{false, true} {
			name := node + ", alive"
			if dead {
				name = node + ", dead"
			}
			t.Run(name, func(t *testing.T) {
				e := simulated(t, 0, nil)
				up(t, e)
				if dead {
					e.World.MachineDead(node)
				}
				state, err := e.State()
				if err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(state.Resources, func(r apitype.ResourceV3) bool {
					return string(r.Type) == "aws:ec2/instance:Instance" && r.URN.Name() == node
				})
				result, err := e.Up(t.Context(), replaceTarget(string(state.Resources[at].URN)))
				if err != nil {
					t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
				}
				t.Log(strings.Join(done(result), "\n"))
				_ = follows
				unchanged(t, e)
				destroyed(t, e)
			})
		}
	}
}

// replaceTarget is `pulumi up --replace`: the whole stack is updated, and this resource replaced.
func replaceTarget(urn string) optup.Option { return optup.Replace([]string{urn}) }
