package stack_test

import (
	"slices"
	"testing"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/stack"
	"swarm-scale/test/rehearsal"
)

// TestOverlayHasItsRange holds the range of the containers' network and its gateway.
func TestOverlayHasItsRange(t *testing.T) {
	for set, want := range map[string]string{
		"":               `[{"gateway":"10.77.0.1","subnet":"10.77.0.0/22"}]`,
		"100.64.8.32/27": `[{"gateway":"100.64.8.33","subnet":"100.64.8.32/27"}]`,
	} {
		values := hostsSettings(t)
		values["overlayCidr"] = set
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, find(t, resources, "docker:index/network:Network", "mynet").inputs["ipamConfigs"]); got != want {
			t.Errorf("%q gives %s, want %s", set, got, want)
		}
	}
}

// withoutRange returns a program as it was when the engine chose the network's range.
func withoutRange(program pulumi.RunFunc) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		err := ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			network, ok := args.Props.(*docker.NetworkArgs)
			if !ok {
				return nil
			}
			network.IpamConfigs = nil
			return &pulumi.ResourceTransformationResult{Props: network, Opts: args.Opts}
		})
		if err != nil {
			return err
		}
		return program(ctx)
	}
}

// TestExistingOverlayStays holds that up over an earlier stack leaves its network alone, that a range which somebody sets replaces it
// and every container on it, and that taking the setting back replaces nothing.
func TestExistingOverlayStays(t *testing.T) {
	t.Parallel()
	e := simulated(t, nil)
	program := stack.Program(rehearsal.Shell(e.World))
	e.SetProgram(withoutRange(program))
	up(t, e)
	e.SetProgram(program)
	unchanged(t, e)

	if err := e.Set(map[string]any{"overlayCidr": "10.88.0.0/24"}); err != nil {
		t.Fatal(err)
	}
	moved := up(t, e)
	created := steps(moved)["create"]
	for _, want := range []string{"mynet", "frontend01", "frontend02", "redis01", "redis02", "worker01", "pg", "results-app"} {
		if !slices.Contains(created, want) {
			t.Errorf("another range makes %v anew, want %s among them", created, want)
		}
	}
	inOrder(t, moved, "delete redis01", "delete mynet", "create mynet", "create redis01")
	for _, name := range steps(moved)["delete"] {
		if name == "redis01-data" || name == "pg-data" {
			t.Errorf("another range deletes the volume %s", name)
		}
	}
	unchanged(t, e)

	if err := e.Set(map[string]any{"overlayCidr": ""}); err != nil {
		t.Fatal(err)
	}
	unchanged(t, e)
	destroyed(t, e)
}
