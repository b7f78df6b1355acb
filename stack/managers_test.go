package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"

	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
)

// TestManagersComeAndGo holds the life of a stack with one manager, then three, one, three, five and three. The swarm is never made a second time,
// nothing that runs is replaced, and further managers touch neither etcd nor the stores.
func TestManagersComeAndGo(t *testing.T) {
	t.Parallel()
	values := inSwarmMode()
	values["managers"] = 1
	e := simulated(t, values)
	up(t, e)

	managers := func(count int, want string, more map[string]any) *harness.Result {
		t.Helper()
		settings := map[string]any{"managers": count}
		maps.Copy(settings, more)
		if err := e.Set(settings); err != nil {
			t.Fatal(err)
		}
		result := up(t, e)
		if got := rehearsal.Variable(e.World.Objects("swarm-members")[0].Inputs["stdin"].StringValue(), "MANAGERS"); got != want {
			t.Errorf("of %d managers the swarm has %s, want %s", count, got, want)
		}
		changed := steps(result)
		if gone := changed["delete"]; len(gone) > 0 {
			t.Errorf("%d managers delete or replace %v", count, gone)
		}
		if !slices.Contains(changed["update"], "swarm-members") {
			t.Errorf("with %d managers nobody gives them their roles: %v", count, changed["update"])
		}
		for _, name := range slices.Concat(changed["update"], changed["create"]) {
			if more == nil && (strings.HasPrefix(name, "etcd") || strings.HasPrefix(name, "pg") || strings.HasPrefix(name, "stores")) {
				t.Errorf("%d managers change %s", count, name)
			}
		}
		unchanged(t, e)
		return result
	}
	const five = "manager worker01 store frontend01 frontend02"
	managers(3, "manager worker01 store", nil)
	managers(1, "manager", nil)
	managers(3, "manager worker01 store", map[string]any{"stores": 2})
	inOrder(t, managers(5, five, nil), "update frontend02-way", "update frontend02-join", "update swarm-members")

	// Two of five are lost at once, the one that made the swarm among them.
	e.World.MachineDead("manager")
	e.World.MachineDead("frontend02")
	lost, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, "manager"), machineURN(t, e, "frontend02")}))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(lost), "\n"))
	}
	if made := steps(lost)["create"]; slices.Contains(made, "swarm") || slices.Contains(made, "etcd-founding") {
		t.Errorf("after two managers were lost, a swarm or an etcd was made again: %v", made)
	}
	unchanged(t, e)

	managers(3, "manager worker01 store", nil)
	destroyed(t, e)
}

// TestFiveManagersInThreeZones holds who joins the swarm as a manager and may be asked as one, and that etcd has its three members in three zones.
func TestFiveManagersInThreeZones(t *testing.T) {
	values := onSwarmMode(awsSettings())
	values["zones"], values["frontends"], values["managers"], values["stores"] = "3", "5", "5", "2"
	values["region"], values["availabilityZone"] = "us-west-2", "us-west-2a us-west-2b us-west-2c"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for name, manages := range map[string]bool{
		"manager": true, "frontend01": false, "frontend02": true, "frontend03": true, "frontend04": false, "frontend05": true, "worker01": true, "store": false, "store02": false,
	} {
		if got := strings.Contains(text(t, find(t, resources, "command:remote:Command", name+"-join").inputs["stdin"]), tokenPrefix+"manager"); got != manages {
			t.Errorf("%s joins as a manager: %v, want %v", name, got, manages)
		}
		groups := text(t, find(t, resources, instanceType, name).inputs["vpcSecurityGroupIds"])
		if manages && !strings.Contains(groups, `"manager-id"`) {
			t.Errorf("%s, which manages the swarm, is in the groups %s", name, groups)
		}
	}
	var members []string
	for _, r := range resources {
		if r.token == serviceType && strings.HasPrefix(r.name, "etcd") {
			task := plain(r.inputs["taskSpec"]).ObjectValue()
			members = append(members, r.name+" "+text(t, task["placement"].ObjectValue()["constraints"]))
		}
	}
	slices.Sort(members)
	want := []string{`etcd01 ["node.hostname==manager"]`, `etcd02 ["node.hostname==frontend02"]`, `etcd03 ["node.hostname==frontend03"]`}
	if !slices.Equal(members, want) {
		t.Errorf("etcd has the members %v, want %v", members, want)
	}
}
