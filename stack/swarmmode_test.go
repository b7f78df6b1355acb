package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/harness"
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
		"LostManagerIsReplaced": testLostManagerIsReplaced, "DeadManager": testUpWorksWhileAManagerIsDead,
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
	second, err := e.Up(t.Context(), optup.Replace([]string{urn(t, e, instanceType, "manager")}))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(second), "\n"))
	}
	if got := steps(second)["create"]; !slices.Equal(got, []string{"manager-presence"}) {
		t.Errorf("made anew: %v", got)
	}
	inOrder(t, second, "create manager", "update manager-engine", "update manager-way", "update manager-join", "update swarm-members")
	unchanged(t, e)
	destroyed(t, e)
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
