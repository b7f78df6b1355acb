package harness_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/harness"
	"swarm-scale/test/simulation"
)

// secrets are the settings that the tests' program requires.
var secrets = map[string]string{"password": "correct horse battery"}

// up brings the stack up and fails the test if that fails.
func up(t *testing.T, s *harness.Stack) *harness.Result {
	t.Helper()
	result, err := s.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// unchanged fails the test unless another up finds nothing to do.
func unchanged(t *testing.T, s *harness.Stack) {
	t.Helper()
	if again := up(t, s); again.Changes() != 0 || len(again.Records) != 0 {
		t.Errorf("another up makes changes: %v", again.Counts)
	}
}

// done lists the changes of an operation as "create node01", in order.
func done(result *harness.Result) []string {
	var list []string
	for _, r := range result.Records {
		line := string(r.Op) + " " + r.Name
		if r.Err != nil {
			line += " failed"
		}
		list = append(list, line)
	}
	return list
}

func TestPreviewUpRefreshDestroy(t *testing.T) {
	t.Parallel()
	s := harness.Test(t, harness.Options{
		Program: small(shape{machines: 3, ami: "ami-1", version: "7", follow: "marker"}),
		Secrets: secrets, World: simulation.NewWorld(0.002), Parallel: 16, SaveAtEnd: true,
	})
	preview, err := s.Preview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.World.Objects("*")); n != 0 || len(preview.Records) != 0 {
		t.Errorf("a preview made %d objects", n)
	}

	first := up(t, s)
	if first.Counts[apitype.OpCreate] != preview.Counts[apitype.OpCreate] {
		t.Errorf("the preview announced %v, the up did %v", preview.Counts, first.Counts)
	}
	outputs, err := s.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if addresses, ok := outputs["addresses"].Value.(map[string]any); !ok || len(addresses) != 3 || addresses["node02"] == "" {
		t.Errorf("outputs: %v", outputs)
	}
	if !outputs["password"].Secret {
		t.Error("an output made of a secret is not a secret")
	}
	order := done(first)
	for _, pair := range [][2]string{{"vpc", "subnet"}, {"subnet", "node03"}, {"node03", "node03-ready"}, {"node03-ready", "node03-redis"}, {"node03-redis", "node03-container"}} {
		if slices.Index(order, "create "+pair[0]) > slices.Index(order, "create "+pair[1]) {
			t.Errorf("%s came before %s: %v", pair[1], pair[0], order)
		}
	}
	if most := simulation.MaxParallel(first.Records); most < 3 {
		t.Errorf("at most %d operations were under way at a time, want the three machines' at least", most)
	}

	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	chain := harness.LongestChain(state, first.Records)
	// The network, one machine, its command, its image and its container, and the marker.
	if want := (12+11+23+2+20+2)*time.Second + time.Millisecond; chain.Longest != want || len(chain.Steps) != 7 {
		t.Errorf("the longest chain takes %v, want %v:\n%s", chain.Longest, want, chain)
	}
	if chain.Sum <= chain.Longest || first.Wall < chain.Longest/500 {
		t.Errorf("sum %v, longest %v, wall %v", chain.Sum, chain.Longest, first.Wall)
	}
	// The Pulumi engine's own steps give the same chain, a fraction of a second long. Chance decides which machine is on it.
	here := harness.LongestChainOfSteps(state, first.Steps)
	machineOf := func(c harness.Chain) string { return strings.TrimSuffix(c.Steps[len(c.Steps)-1].Name, "-container") }
	var names []string
	for _, step := range here.Steps {
		names = append(names, step.Name)
	}
	for _, step := range chain.Steps {
		at := slices.Index(names, strings.Replace(step.Name, machineOf(chain), machineOf(here), 1))
		if at < 0 {
			t.Fatalf("by the Pulumi engine's steps the longest chain lacks %s or has it too early:\n%s", step.Name, here)
		}
		names = names[at+1:]
	}
	if len(names) != 0 || here.Longest <= 0 || here.Longest > first.Wall || here.Longest > here.Sum {
		t.Errorf("by the Pulumi engine's steps the longest of %v takes %v of %v:\n%s", here.Sum, here.Longest, first.Wall, here)
	}

	unchanged(t, s)
	refreshed, err := s.Refresh(t.Context())
	if err != nil || refreshed.Changes() != 0 {
		t.Errorf("refresh: %v, %v", refreshed.Counts, err)
	}

	file, err := s.StateFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{secrets["password"], "OPENSSH PRIVATE KEY"} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("the state file has %q in plain text", secret)
		}
	}

	destroyed, err := s.Destroy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, machine := range []string{"node01", "node02", "node03"} {
		if slices.Index(done(destroyed), "delete "+machine) > slices.Index(done(destroyed), "delete subnet") {
			t.Errorf("the subnet went before %s: %v", machine, done(destroyed))
		}
	}
	if state, err = s.State(); err != nil || len(state.Resources) != 0 {
		t.Errorf("the state keeps %d resources, %v", len(state.Resources), err)
	}
	if left := s.World.Objects("*"); len(left) != 0 {
		t.Errorf("the world keeps %v", left)
	}
}

// TestMachineReplaced holds which way of tying resources to a machine survives
// its replacement. That is how the Pulumi engine behaves, not the simulation.
func TestMachineReplaced(t *testing.T) {
	t.Parallel()
	created := []string{"create node01", "create node01-marker", "create node01-ready", "create node01-redis", "create node01-container"}
	for _, test := range []struct {
		name, follow string
		dead         bool
		want         []string // what happens, in order; nil if it must fail
	}{
		// What is DeletedWith a resource that is replaced after its machine is
		// not deleted by a call, whether the old machine answers or not.
		{"marker, alive", "marker", false, slices.Concat([]string{"delete node01"}, created, []string{"delete node01-marker"})},
		{"marker, dead", "marker", true, slices.Concat([]string{"delete node01"}, created, []string{"delete node01-marker"})},
		// While Pulumi replaces the machine it still deletes what is DeletedWith
		// the machine. It does so last, at an address that is gone.
		{"trigger alone", "trigger", false, nil},
		// What is replaced with the machine is deleted before it. That needs a live machine.
		{"replaced with, dead", "replaceWith", true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wanted := shape{machines: 1, ami: "ami-1", version: "7", follow: test.follow}
			s := harness.Test(t, harness.Options{Program: small(wanted), Secrets: secrets, SaveAtEnd: true})
			up(t, s)
			if test.dead {
				s.World.MachineDead("node01")
			}
			wanted.ami = "ami-2"
			s.SetProgram(small(wanted))
			result, err := s.Up(t.Context())
			if test.want == nil {
				if err == nil {
					t.Errorf("up succeeded, so the marker is not needed: %v", done(result))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := done(result)
			// The marker is created at any time once the machine is there.
			at := slices.Index(got, "create node01-marker")
			if at > 0 {
				got = slices.Insert(slices.Delete(got, at, at+1), 2, "create node01-marker")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			if addresses := s.World.Objects("aws:ec2/instance:Instance"); len(addresses) != 1 {
				t.Errorf("there are %d machines", len(addresses))
			}
			unchanged(t, s)
		})
	}
}

func TestUpContinuesAfterFailure(t *testing.T) {
	t.Parallel()
	s := harness.Test(t, harness.Options{
		Program: small(shape{machines: 2, ami: "ami-1", version: "7", follow: "marker"}), Secrets: secrets, SaveAtEnd: true,
	})
	s.World.FailNext("node02", simulation.Create, errors.New("InsufficientInstanceCapacity: try another zone"))
	result, err := s.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "node02: ") || !strings.Contains(err.Error(), "InsufficientInstanceCapacity") {
		t.Fatalf("the failure is told as %v", err)
	}
	if !slices.ContainsFunc(result.Steps, func(step harness.Step) bool { return step.Name == "node02" && step.Failed }) {
		t.Errorf("no failed step among %v", result.Steps)
	}
	repaired := up(t, s)
	if repaired.Counts[apitype.OpSame] == 0 || slices.Contains(done(repaired), "create vpc") {
		t.Errorf("the repaired run starts over: %v", done(repaired))
	}
	if n := len(s.World.Objects("docker:index/container:Container")); n != 2 {
		t.Errorf("there are %d containers, want 2", n)
	}
	unchanged(t, s)
}

func TestMachineUnreachable(t *testing.T) {
	t.Parallel()
	wanted := shape{machines: 2, ami: "ami-1", version: "7", follow: "marker"}
	s := harness.Test(t, harness.Options{Program: small(wanted), Secrets: secrets, SaveAtEnd: true})
	up(t, s)
	s.World.MachineDead("192.168.33.21")

	wanted.version = "8"
	s.SetProgram(small(wanted))
	if _, err := s.Preview(t.Context()); err == nil || !strings.Contains(err.Error(), "error pinging Docker server") {
		t.Errorf("a preview of a change on the dead machine: %v", err)
	}
	wanted.blind = true
	s.SetProgram(small(wanted))
	if _, err := s.Preview(t.Context()); err != nil {
		t.Errorf("a preview that does not ping: %v", err)
	}
	if _, err := s.Refresh(t.Context()); err == nil {
		t.Error("a refresh reads containers on a dead machine")
	}
	if _, err := s.Destroy(t.Context()); err != nil {
		t.Errorf("destroy: %v", err)
	}
	if left := s.World.Objects("*"); len(left) != 0 {
		t.Errorf("the world keeps %v", left)
	}
}

func TestRefreshFindsMissingObject(t *testing.T) {
	t.Parallel()
	s := harness.Test(t, harness.Options{
		Program: small(shape{machines: 1, ami: "ami-1", version: "7", follow: "marker"}), Secrets: secrets, SaveAtEnd: true,
	})
	up(t, s)
	if n := s.World.Vanish("node01-container"); n != 1 {
		t.Fatalf("%d objects vanished, want 1", n)
	}
	refreshed, err := s.Refresh(t.Context())
	if err != nil || refreshed.Counts[apitype.OpDelete] != 1 {
		t.Errorf("refresh: %v, %v; want one deletion", refreshed.Counts, err)
	}
	if got := done(up(t, s)); !slices.Equal(got, []string{"create node01-container"}) {
		t.Errorf("afterwards up did %v", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := harness.Test(t, harness.Options{Program: small(shape{}), Config: map[string]any{"other": 1}})
	if _, err := s.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("without the required setting: %v", err)
	}
	if err := s.SetSecrets(t.Context(), secrets); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(map[string]any{"other": nil, "list": []any{map[string]any{"name": "a"}}}); err != nil {
		t.Fatal(err)
	}
	up(t, s)
	outputs, err := s.Outputs(t.Context())
	if err != nil || outputs["password"].Value != secrets["password"] {
		t.Errorf("the setting arrived as %v, %v", outputs["password"], err)
	}
}

// TestPlugins holds that Plugins uses installed plugins only: nothing is simulated or
// fetched, and a missing plugin is named.
func TestPlugins(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PULUMI_HOME", home)
	project := filepath.Join(t.TempDir(), "Pulumi.yaml")
	if err := os.WriteFile(project, []byte("name: plugins\nruntime: go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Test(t, harness.Options{Program: small(shape{}), Project: project, Secrets: secrets, Plugins: true})
	result, err := s.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "pulumi-resource-aws") {
		t.Errorf("without the plugin: %v", err)
	}
	if s.World != nil || len(result.Records) != 0 {
		t.Errorf("something was simulated: %v", result.Records)
	}
	for name, options := range map[string]harness.Options{
		"a world":    {Project: project, World: simulation.NewWorld(0)},
		"no project": {},
	} {
		options.Program, options.Plugins = small(shape{}), true
		if _, err := harness.New(t.Context(), options); err == nil {
			t.Errorf("plugins and %s are taken", name)
		}
	}
}

func TestUncolored(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "<{%reset%}>a<{%fg 1%}>b": "ab", "a <{% open": "a <{% open",
	} {
		if got := harness.Uncolored(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
