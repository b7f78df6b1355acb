package stack_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
)

const (
	subnetType = "aws:ec2/subnet:Subnet"
	diskType   = "aws:ebs/volume:Volume"
)

// TestTreeOfThreeZones holds that each zone has a subnet with a way to the internet, which machine and which disk is in which, and who
// manages the swarm.
func TestTreeOfThreeZones(t *testing.T) {
	values := onSwarmMode(awsSettings())
	values["zones"], values["frontends"], values["loadBalancers"], values["workers"], values["voteCopies"] = "3", "4", "2", "2", "2"
	values["region"], values["availabilityZone"] = "us-west-2", "us-west-2d us-west-2b us-west-2a"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	inputs := func(token, name string, keys ...string) string {
		t.Helper()
		r := find(t, resources, token, name)
		var shown []string
		for _, key := range keys {
			shown = append(shown, plain(r.inputs[resource.PropertyKey(key)]).StringValue())
		}
		return strings.Join(shown, " ")
	}
	for name, want := range map[string]string{
		"subnet": "192.168.33.0/24 us-west-2d vpc-id", "subnet02": "192.168.34.0/24 us-west-2b vpc-id", "subnet03": "192.168.35.0/24 us-west-2a vpc-id",
	} {
		if got := inputs(subnetType, name, "cidrBlock", "availabilityZone", "vpcId"); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		const association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
		if got := inputs(association, name+"-route-table", "subnetId", "routeTableId"); got != name+"-id route-table-id" {
			t.Errorf("%s has the routes of %s", name, got)
		}
	}
	for name, want := range map[string]string{
		"manager": "subnet-id 192.168.33.11", "interlock": "subnet-id 192.168.33.12", "interlock02": "subnet02-id 192.168.34.17",
		"frontend01": "subnet-id 192.168.33.20", "frontend02": "subnet02-id 192.168.34.21", "frontend03": "subnet03-id 192.168.35.22", "frontend04": "subnet-id 192.168.33.23",
		"worker01": "subnet-id 192.168.33.200", "worker02": "subnet02-id 192.168.34.201", "store": "subnet-id 192.168.33.250",
	} {
		if got := inputs(instanceType, name, "subnetId", "privateIp"); got != want {
			t.Errorf("%s is in %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"frontend01": "us-west-2d", "frontend02": "us-west-2b", "frontend03": "us-west-2a", "frontend04": "us-west-2d", "store": "us-west-2d",
	} {
		if got := inputs(diskType, name+"-disk", "availabilityZone"); got != want {
			t.Errorf("the disk of %s is in %s, want %s", name, got, want)
		}
	}
	for name, manages := range map[string]bool{
		"manager": true, "frontend01": false, "frontend02": true, "frontend03": true, "frontend04": false, "worker01": false, "worker02": false, "store": false,
	} {
		if got := strings.Contains(inputs("command:remote:Command", name+"-join", "stdin"), tokenPrefix+"manager"); got != manages {
			t.Errorf("%s joins as a manager: %v, want %v", name, got, manages)
		}
	}
	// The second copy of a vote goes to another zone.
	if got := inputs("command:remote:Command", "frontend01-configuration", "stdin"); !strings.Contains(got, "redis02:6379\nredis03:6379\n'") {
		t.Errorf("the partners of frontend01 are in\n%s", got)
	}
	if groups := text(t, find(t, resources, instanceType, "frontend02").inputs["vpcSecurityGroupIds"]); !strings.Contains(groups, `"manager-id"`) {
		t.Errorf("frontend02, which manages the swarm, is in the groups %s", groups)
	}
}

// production prepares the stack of Pulumi.production.yaml, without its protection from deletion.
func production(t *testing.T) *harness.Stack {
	t.Helper()
	root, err := rehearsal.Root()
	if err != nil {
		t.Fatal(err)
	}
	return simulatedWith(t, map[string]any{"terminationProtection": false}, func(options *harness.Options) {
		options.Settings = filepath.Join(root, "Pulumi.production.yaml")
	})
}

// TestProductionDeployed runs what starts from the stack of Pulumi.production.yaml as it is after `pulumi up`. It is deployed once, and each
// test has a clone.
func TestProductionDeployed(t *testing.T) {
	t.Parallel()
	deployed := production(t)
	up(t, deployed)
	unchanged(t, deployed)
	var zones []string
	for _, subnet := range deployed.World.Objects(subnetType) {
		zones = append(zones, subnet.URN.Name()+" "+subnet.Inputs["availabilityZone"].StringValue())
	}
	slices.Sort(zones)
	if want := []string{"subnet us-west-2a", "subnet02 us-west-2b", "subnet03 us-west-2c"}; !slices.Equal(zones, want) {
		t.Errorf("the subnets are %v, want %v", zones, want)
	}
	for zone, nodes := range [][]string{
		{"manager", "interlock", "frontend01", "worker01", "store"}, {"interlock02", "frontend02", "worker02", "store02"}, {"frontend03"},
	} {
		t.Run(fmt.Sprintf("Zone%dIsLost", zone+1), func(t *testing.T) {
			t.Parallel()
			testLostZoneIsReplaced(t, deployed.Clone(t), nodes)
		})
	}
	t.Run("ZonesAreKept", func(t *testing.T) {
		t.Parallel()
		testSettingsAreRefused(t, deployed.Clone(t), map[string]any{"zones": 1}, map[string]any{"zones": 3}, "pulumi config set zones 3")
	})
	t.Run("ZonesStayWithAnotherInstanceType", func(t *testing.T) {
		t.Parallel()
		e := deployed.Clone(t)
		// us-west-2c does not offer it.
		if err := e.Set(map[string]any{"managerInstanceType": "m3.medium"}); err != nil {
			t.Fatal(err)
		}
		for name, list := range steps(up(t, e)) {
			if strings.HasSuffix(name, " machine") && !slices.Equal(list, []string{"manager"}) {
				t.Errorf("%s: %v", name, list)
			}
		}
		unchanged(t, e)
	})
}

// testLostZoneIsReplaced holds that everything in a zone comes back on new machines, that no machine of another zone is touched, and that a
// second up changes nothing.
func testLostZoneIsReplaced(t *testing.T, e *harness.Stack, nodes []string) {
	var lost []string
	for _, node := range nodes {
		lost = append(lost, machineURN(t, e, node))
		e.World.MachineDead(node)
	}
	disks := e.World.Objects(diskType)
	result, err := e.Up(t.Context(), optup.Replace(lost))
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(done(result), "\n"))
	}
	slices.Sort(nodes)
	if got := steps(result); !slices.Equal(got["create machine"], nodes) || !slices.Equal(got["delete machine"], nodes) {
		t.Errorf("machines made %v and deleted %v, want %v", got["create machine"], got["delete machine"], nodes)
	}
	for i, disk := range e.World.Objects(diskType) {
		if disk.ID != disks[i].ID {
			t.Errorf("the disk %s is another one", disk.URN.Name())
		}
	}
	// Voters are led to the machines that there are.
	machines := map[string]string{}
	for _, machine := range e.World.Objects(instanceType) {
		machines[string(machine.ID)] = machine.URN.Name()
	}
	var balancers []string
	for _, attachment := range e.World.Objects(attachmentType) {
		balancers = append(balancers, machines[attachment.Inputs["targetId"].StringValue()])
	}
	slices.Sort(balancers)
	if !slices.Equal(balancers, []string{"interlock", "interlock02"}) {
		t.Errorf("the network load balancer has the machines %q", balancers)
	}
	unchanged(t, e)
	destroyed(t, e)
}

// testSettingsAreRefused holds that settings are refused before anything changes, also by a preview, and that the stack is as it was once they
// are set back.
func testSettingsAreRefused(t *testing.T, e *harness.Stack, changed, back map[string]any, remedy string) {
	t.Helper()
	if err := e.Set(changed); err != nil {
		t.Fatal(err)
	}
	_, previewed := e.Preview(t.Context())
	result, err := e.Up(t.Context())
	for _, err := range []error{previewed, err} {
		if err == nil || !strings.Contains(err.Error(), "set it back ("+remedy+"), or run pulumi destroy") {
			t.Errorf("the refusal says: %v", err)
		}
	}
	for _, record := range result.Records {
		t.Errorf("it was %v", record)
	}
	if err := e.Set(back); err != nil {
		t.Fatal(err)
	}
	unchanged(t, e)
}

// TestMachinesThatExistMayGetZones holds that a stack on existing machines may be told their zones later: each machine stays the node that it
// was, and a manager in each zone manages the swarm.
func TestMachinesThatExistMayGetZones(t *testing.T) {
	t.Parallel()
	var hosts []map[string]any
	for i, name := range []string{"manager", "interlock", "frontend01", "frontend02", "frontend03", "worker01", "store"} {
		hosts = append(hosts, map[string]any{"name": name, "address": fmt.Sprintf("10.0.0.%d", i+1), "hostKey": publicKey(t)})
	}
	e := simulated(t, map[string]any{"platform": "hosts", "cluster": "swarm-mode", "loadBalancer": "haproxy", "frontends": 3, "hosts": hosts})
	up(t, e)
	hosts[3]["zone"], hosts[4]["zone"], hosts[6]["zone"] = 2, 3, 3
	if err := e.Set(map[string]any{"zones": 3, "hosts": hosts}); err != nil {
		t.Fatal(err)
	}
	result := steps(up(t, e))
	if made := slices.Concat(result["create"], result["delete"]); len(made) > 0 {
		t.Errorf("it makes or deletes %v", made)
	}
	if !slices.Contains(result["update"], "swarm-members") {
		t.Errorf("nobody gives the managers their roles: %v", result["update"])
	}
	members := e.World.Objects("swarm-members")
	if got := rehearsal.Variable(members[0].Inputs["stdin"].StringValue(), "MANAGERS"); got != "manager store frontend02" {
		t.Errorf("the managers are %s", got)
	}
	unchanged(t, e)
}

// TestMachinesThatExistGrowAtOnce holds that zones, managers and stores may come in one deployment, since there is no etcd yet whose members would
// move. From then on there is.
func TestMachinesThatExistGrowAtOnce(t *testing.T) {
	t.Parallel()
	names := []string{"manager", "interlock", "frontend01", "frontend02", "frontend03", "worker01", "store"}
	var hosts []map[string]any
	for i, name := range names {
		hosts = append(hosts, map[string]any{"name": name, "address": fmt.Sprintf("10.0.0.%d", i+1), "hostKey": publicKey(t)})
	}
	e := simulated(t, map[string]any{"platform": "hosts", "cluster": "swarm-mode", "loadBalancer": "haproxy", "managers": "1", "frontends": 3, "hosts": hosts})
	up(t, e)
	for i := range hosts {
		hosts[i]["zone"] = i%3 + 1
	}
	hosts = append(hosts, map[string]any{"name": "store02", "address": "10.0.0.8", "hostKey": publicKey(t), "zone": 2})
	if err := e.Set(map[string]any{"zones": 3, "managers": "3", "stores": 2, "voteCopies": 2, "hosts": hosts}); err != nil {
		t.Fatal(err)
	}
	result := steps(up(t, e))
	if replaced := result["replace"]; len(replaced) > 0 {
		t.Errorf("it replaces %v", replaced)
	}
	if !slices.Contains(result["create"], "etcd-founding") {
		t.Errorf("etcd does not begin: %v", result["create"])
	}
	unchanged(t, e)
	testSettingsAreRefused(t, e, map[string]any{"zones": 1, "hosts": withoutZones(hosts)}, map[string]any{"zones": 3, "hosts": hosts}, "pulumi config set zones 3")
}

// withoutZones returns the machines without what says in which zone they are.
func withoutZones(hosts []map[string]any) []map[string]any {
	var all []map[string]any
	for _, host := range hosts {
		host = maps.Clone(host)
		delete(host, "zone")
		all = append(all, host)
	}
	return all
}
