package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/rehearsal"
)

// TestStoresGrowAndHeal holds the life of a stack whose one store becomes two: the first one's server goes on with its votes, nothing founds
// etcd or the database a second time, also on another machine, and it does not become one store again.
func TestStoresGrowAndHeal(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]struct {
		settings map[string]any
		first    string // the node with etcd's first member
		change   string // what the first server goes through
		gone     string // how a machine leaves
	}{
		"swarm mode": {inSwarmMode(), "manager", "update pg", "delete store03-way"},
		"standalone": {map[string]any{"cluster": "standalone", "loadBalancer": "haproxy", "frontendInstanceType": "t2.small"}, "worker01", "create pg", "delete store03"}, // a frontend has a member of etcd
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStoresGrowAndHeal(t, kind.settings, kind.first, kind.change, kind.gone)
		})
	}
}

func testStoresGrowAndHeal(t *testing.T, settings map[string]any, first, change, gone string) {
	e := simulated(t, settings)
	up(t, e)
	if err := e.Set(map[string]any{"stores": 2}); err != nil {
		t.Fatal(err)
	}
	grown := up(t, e)
	inOrder(t, grown, "create etcd01", "create etcd-founding", "create stores-agreement", change, "create pg02", "update pg-roles")
	for _, name := range []string{"pg-data", "store"} {
		if slices.Contains(steps(grown)["replace"], name) {
			t.Errorf("%s was replaced, with the votes in it", name)
		}
	}
	unchanged(t, e)

	// The machine on which etcd began, and then a store.
	for _, node := range []string{first, "store", "store02"} {
		e.World.MachineDead(node)
		replaced, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, node)}))
		if err != nil {
			t.Fatalf("%s: %v\n%s", node, err, strings.Join(done(replaced), "\n"))
		}
		for op, names := range steps(replaced) {
			if op != "same" && slices.Contains(names, "etcd-founding") {
				t.Errorf("after %s was lost, etcd was founded again (%s)", node, op)
			}
		}
		unchanged(t, e)
	}

	if err := e.Set(map[string]any{"stores": 1}); err != nil {
		t.Fatal(err)
	}
	_, previewed := e.Preview(t.Context())
	refused, err := e.Up(t.Context())
	for _, err := range []error{previewed, err} {
		if err == nil || !strings.Contains(err.Error(), "the stack has 2 stores, and a stack that has several keeps at least 2: set it back (pulumi config set stores 2), or run pulumi destroy") {
			t.Errorf("the refusal says: %v", err)
		}
	}
	for _, record := range refused.Records {
		t.Errorf("it was %v", record)
	}
	if err := e.Set(map[string]any{"stores": 3}); err != nil {
		t.Fatal(err)
	}
	three := up(t, e)
	inOrder(t, three, "update stores-agreement", "create pg03")
	if changed := steps(three)["update"]; slices.Contains(changed, "pg") || slices.Contains(changed, "pg02") || slices.Contains(changed, "etcd01") {
		t.Errorf("a third store changed the others: %v", changed)
	}
	unchanged(t, e)
	if err := e.Set(map[string]any{"stores": 2}); err != nil {
		t.Fatal(err)
	}
	inOrder(t, up(t, e), "update stores-agreement", gone)
	unchanged(t, e)
	state, err := e.StateFile()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state), "PRIVATE KEY") {
		t.Error("the state has a private key in plain text")
	}
	destroyed(t, e)
}

// TestStoresServices holds where the database's services are, what they may do, and what the programs are told.
func TestStoresServices(t *testing.T) {
	values := onSwarmMode(awsSettings())
	values["stores"] = "3"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for name, node := range map[string]string{"pg": "store", "pg02": "store02", "pg03": "store03", "etcd01": "manager", "etcd02": "worker01", "etcd03": "store"} {
		task := plain(find(t, resources, serviceType, name).inputs["taskSpec"]).ObjectValue()
		locks(t, name, task["containerSpec"].ObjectValue())
		container := task["containerSpec"].ObjectValue()
		if got := text(t, task["placement"].ObjectValue()["constraints"]); got != `["node.hostname==`+node+`"]` {
			t.Errorf("%s is placed by %s, want on %s", name, got, node)
		}
		if container["image"].StringValue() != "sha256:built" || container["hostname"].StringValue() != name || !container["readOnly"].BoolValue() {
			t.Errorf("%s has another image, another name or may write: %v", name, container)
		}
		if container.HasValue("capAdds") || text(t, container["capDrops"]) != `["ALL"]` {
			t.Errorf("%s has capabilities", name)
		}
	}
	for _, r := range resources {
		if r.token == "docker:index/image:Image" && strings.HasPrefix(r.name, "database-") {
			if got := text(t, plain(r.inputs["build"]).ObjectValue()["args"]); got != `{"BASE":"postgres:16.15"}` {
				t.Errorf("%s is built with %s", r.name, got)
			}
		}
		for key, value := range r.inputs {
			if shown := openText(value); strings.Contains(shown, "PRIVATE KEY") || strings.Contains(shown, rehearsal.PostgresPassword) {
				t.Errorf("%s %s: input %s holds a secret in plain text", r.token, r.name, key)
			}
		}
	}
	for _, name := range []string{"worker01", "results-app", "results-app03"} {
		environment := plain(find(t, resources, serviceType, name).inputs["taskSpec"]).ObjectValue()["containerSpec"].ObjectValue()["env"].ObjectValue()
		if got := environment["POSTGRES_HOST"].StringValue(); got != "pg pg02 pg03" {
			t.Errorf("%s looks for the database at %q", name, got)
		}
	}
}

// locks holds that a service with a volume begins once no other container uses the volume: a swarm may start it while the former one still ends.
func locks(t *testing.T, name string, container resource.PropertyMap) {
	t.Helper()
	for _, mount := range container["mounts"].ArrayValue() {
		volume := mount.ObjectValue()
		if volume["type"].StringValue() != "volume" {
			continue
		}
		want := strings.TrimSuffix(alone(t, volume["target"].StringValue()), "]") + ","
		if got := text(t, container["args"]); !strings.HasPrefix(got, want) {
			t.Errorf("%s shares its volume with its successor: it starts with %s", name, got)
		}
	}
}
