package stack_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/harness"
	"swarm-scale/test/simulation"
)

// interrupted prepares a stack on machines that exist. The state is saved after every step, as without a test.
func interrupted(t *testing.T) *harness.Stack {
	t.Helper()
	settings := map[string]any{"platform": "hosts", "hosts": existing("manager", "interlock", "frontend01", "frontend02", "worker01", "store")}
	return simulatedWith(t, settings, func(options *harness.Options) { options.SaveAtEnd = false })
}

// existing returns the setting "hosts" for machines with these names. They have one host key.
func existing(names ...string) []map[string]any {
	var hosts []map[string]any
	for i, name := range names {
		hosts = append(hosts, map[string]any{"name": name, "address": "10.0.0." + strconv.Itoa(i+1), "hostKey": anyHostKey})
	}
	return hosts
}

const anyHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuyBIm7eNAyRfwLSNeFczlzv95kfT+lCFwmMnTNCaBn"

// killedUp runs `pulumi up`, and kills Pulumi when an operation on a resource is done and Pulumi does not know it yet.
func killedUp(t *testing.T, e *harness.Stack, pattern string, op simulation.Operation) {
	t.Helper()
	killed := make(chan error, 1)
	e.World.After(pattern, op, func() {
		killed <- e.Kill()
		<-t.Context().Done() // a dead Pulumi gets no answer
	})
	if _, err := e.Up(t.Context()); err == nil {
		t.Fatal("a killed up succeeds")
	}
	select {
	case err := <-killed:
		if err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("up ends before it comes to %s %s", op, pattern)
	}
	if _, err := e.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "pulumi cancel") {
		t.Errorf("the lock of the killed up is told as: %v", err)
	}
	if err := e.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestUpGoesOnWhereItWasKilled kills Pulumi when it has made something, or deleted it to replace it, and its state does not have
// that yet. The next up has to finish, and the one after it changes nothing.
func TestUpGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	for _, made := range []string{"Network::mynet", "Container::redis01", "Container::frontend02", "Container::load-balancer",
		"Volume::redis02-data", "Image::web-vote-app-frontend01", "Command::frontend01-join", "Command::frontend01-presence"} {
		t.Run("made "+made, func(t *testing.T) {
			t.Parallel()
			e := interrupted(t)
			killedUp(t, e, "*"+made, simulation.Create)
			up(t, e)
			unchanged(t, e)
		})
	}
	deployed := interrupted(t)
	up(t, deployed)
	for _, op := range []simulation.Operation{simulation.Delete, simulation.Create} {
		for _, replaced := range []string{"frontend02", "results-app"} {
			t.Run("replaced "+replaced+", after "+string(op), func(t *testing.T) {
				t.Parallel()
				e := deployed.Clone(t)
				if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
					t.Fatal(err)
				}
				killedUp(t, e, "*Container::"+replaced, op)
				up(t, e)
				if left := e.World.Objects("docker:index/container:Container"); len(left) != 8 {
					t.Errorf("%d containers, want 8", len(left))
				}
				unchanged(t, e)
				if _, err := e.Destroy(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestEngineThatLosesAThreadIsAskedAgain holds that up repeats what an engine fails to do because it asks Consul from a wrong network
// namespace, and that it gives up on other failures.
func TestEngineThatLosesAThreadIsAskedAgain(t *testing.T) {
	t.Parallel()
	e := interrupted(t)
	lost := errors.New("Unable to start container: failed to update store: dial tcp 192.168.33.11:8500: connect: network is unreachable")
	e.World.FailNext("redis01", simulation.Create, lost)
	e.World.FailNext("redis01", simulation.Create, errors.New("Unable to start container: Error response from daemon: network "+strings.Repeat("9a", 32)+" not found"))
	e.World.FailNext("results-app", simulation.Create, errors.New("Unable to start container: Error response from daemon: network mynet not found"))
	e.World.FailNext("worker01", simulation.Create, lost)
	e.World.FailNext("worker01", simulation.Create, errors.New("Unable to start container: Error response from daemon: endpoint with name worker01 already exists in network mynet"))
	e.World.FailNext("mynet", simulation.Create, lost)
	up(t, e)
	if got := len(e.World.Objects("docker:index/container:Container")); got != 8 {
		t.Errorf("%d containers, want 8", got)
	}
	if err := e.Set(map[string]any{"optionA": "Kittens"}); err != nil {
		t.Fatal(err)
	}
	e.World.FailNext("results-app", simulation.Delete, lost)
	up(t, e)
	if err := e.Set(map[string]any{"optionA": "Puppies"}); err != nil {
		t.Fatal(err)
	}
	e.World.FailNext("results-app", simulation.Create, errors.New("no space left on device"))
	if _, err := e.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("a full disk is told as: %v", err)
	}
}

// TestGoneContainerIsTold holds that up names a container that somebody, or a killed deployment, has removed, and that the remedy it gives
// is one.
func TestGoneContainerIsTold(t *testing.T) {
	t.Parallel()
	e := interrupted(t)
	up(t, e)
	for _, object := range e.World.Objects("docker:index/container:Container") {
		if object.Inputs["name"].StringValue() == "redis01" {
			e.World.Remove(object)
		}
	}
	if _, err := e.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "by a killed deployment or somebody's hand: redis01. This makes them anew: pulumi up --refresh") {
		t.Errorf("the container is told as: %v", err)
	}
	if _, err := e.Up(t.Context(), optup.Refresh()); err != nil {
		t.Fatal(err)
	}
	if left := e.World.Objects("docker:index/container:Container"); len(left) != 8 {
		t.Errorf("%d containers, want 8", len(left))
	}
	unchanged(t, e)
}

// TestContainerOfSomebodyElseStays holds that up does not remove a container that has a name of the stack's but not its label, and
// that it names it.
func TestContainerOfSomebodyElseStays(t *testing.T) {
	t.Parallel()
	e := interrupted(t)
	up(t, e)
	like := e.World.Objects("docker:index/container:Container")[0]
	like.ID, like.URN, like.Inputs = "theirs", "", resource.PropertyMap{"name": resource.NewProperty("redis03")}
	e.World.Put(like)
	if err := e.Set(map[string]any{"frontends": 3, "hosts": existing("manager", "interlock", "frontend01", "frontend02", "worker01", "store", "frontend03")}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "container named redis03 that is not this stack's") {
		t.Errorf("the container is told as: %v", err)
	}
	found := false
	for _, object := range e.World.Objects("docker:index/container:Container") {
		found = found || object.ID == "theirs"
	}
	if !found {
		t.Fatal("up removed the container")
	}
	e.World.Remove(like)
	up(t, e)
	unchanged(t, e)
}
