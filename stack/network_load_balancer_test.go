package stack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The types of what stands in front of the load balancers' machines.
const (
	frontType      = "aws:lb/loadBalancer:LoadBalancer"
	targetsType    = "aws:lb/targetGroup:TargetGroup"
	attachmentType = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
	listenerType   = "aws:lb/listener:Listener"
)

// inThreeZones are the settings of a stack in three zones, with two load balancers behind one of AWS.
func inThreeZones() map[string]string {
	values := onSwarmMode(awsSettings())
	values["networkLoadBalancer"], values["loadBalancers"], values["zones"], values["frontends"] = "true", "2", "3", "3"
	values["region"], values["availabilityZone"] = "us-west-2", "us-west-2a us-west-2b us-west-2c"
	return values
}

// TestNetworkLoadBalancerIsInFront holds everything that is registered for it, and that voters reach the machines as before.
func TestNetworkLoadBalancerIsInFront(t *testing.T) {
	resources, err := deploy(t, inThreeZones())
	if err != nil {
		t.Fatal(err)
	}
	const tags = `{"ManagedBy":"pulumi","Name":"%s","Project":"swarm-scale","Stack":"dev"}`
	for _, want := range []struct {
		token, name string
		inputs      map[string]string // as JSON
	}{
		{frontType, "network-load-balancer", map[string]string{
			"loadBalancerType": `"network"`, "ipAddressType": `"ipv4"`, "internal": "false", "subnets": `["subnet-id","subnet02-id","subnet03-id"]`,
			"enableCrossZoneLoadBalancing": "true", "enableDeletionProtection": "false", "tags": fmt.Sprintf(tags, "network-load-balancer"),
		}},
		{targetsType, "vote-page-targets", map[string]string{
			"vpcId": `"vpc-id"`, "targetType": `"instance"`, "protocol": `"TCP"`, "port": "80", "preserveClientIp": `"true"`, "deregistrationDelay": "10",
			"healthCheck": `{"healthyThreshold":2,"interval":10,"matcher":"200","path":"/load-balancer/ready","protocol":"HTTP","timeout":5,"unhealthyThreshold":2}`,
			"tags":        fmt.Sprintf(tags, "vote-page"),
		}},
		{attachmentType, "interlock-vote-page-attachment", map[string]string{"targetGroupArn": `"arn:aws:of:vote-page-targets"`, "targetId": `"interlock-id"`, "port": "80"}},
		{attachmentType, "interlock02-vote-page-attachment", map[string]string{"targetGroupArn": `"arn:aws:of:vote-page-targets"`, "targetId": `"interlock02-id"`, "port": "80"}},
		{listenerType, "vote-page-listener", map[string]string{
			"loadBalancerArn": `"arn:aws:of:network-load-balancer"`, "protocol": `"TCP"`, "port": "80",
			"defaultActions": `[{"targetGroupArn":"arn:aws:of:vote-page-targets","type":"forward"}]`, "tags": fmt.Sprintf(tags, "vote-page"),
		}},
	} {
		r := find(t, resources, want.token, want.name)
		got := map[string]string{}
		for key, value := range r.inputs {
			got[string(key)] = text(t, value)
		}
		if fmt.Sprint(got) != fmt.Sprint(want.inputs) {
			t.Errorf("%s %s is\n%v\nwant\n%v", want.token, want.name, got, want.inputs)
		}
		if !strings.Contains(r.parent, machinesType) || r.provider == "" || r.request.GetProtect() {
			t.Errorf("%s %s is of %s, by %q, protected: %v", want.token, want.name, r.parent, r.provider, r.request.GetProtect())
		}
	}
	for token, want := range map[string]int{frontType: 1, targetsType: 1, attachmentType: 2, listenerType: 1} {
		count := 0
		for _, r := range resources {
			if r.token == token {
				count++
			}
		}
		if count != want {
			t.Errorf("%d resources of type %s, want %d", count, token, want)
		}
	}
	// It has public addresses, so it goes before the gateway and the routes.
	needs := strings.Join(find(t, resources, frontType, "network-load-balancer").request.GetDependencies(), " ")
	for _, need := range []string{"::internet-gateway", "::subnet-route-table", "::subnet02-route-table", "::subnet03-route-table"} {
		if !strings.Contains(needs, need) {
			t.Errorf("it does not wait for %s: %s", need, needs)
		}
	}
	// The machines see the voters' own addresses.
	open := find(t, resources, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "allow-vote-page")
	if text(t, open.inputs["cidrIpv4"]) != `"0.0.0.0/0"` {
		t.Errorf("the load balancers' machines let in %v", open.inputs)
	}
	if script := text(t, find(t, resources, "command:remote:Command", "haproxy02-configuration").inputs["stdin"]); !strings.Contains(script, "monitor-uri /load-balancer/ready") {
		t.Error("HAProxy does not answer where it is asked")
	}
}

// TestNetworkLoadBalancerIsProtected holds that terminationProtection is also for it.
func TestNetworkLoadBalancerIsProtected(t *testing.T) {
	values := inThreeZones()
	values["terminationProtection"] = "true"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	if r := find(t, resources, frontType, "network-load-balancer"); text(t, r.inputs["enableDeletionProtection"]) != "true" || !r.request.GetProtect() {
		t.Errorf("AWS protects it: %v, Pulumi: %v", r.inputs["enableDeletionProtection"], r.request.GetProtect())
	}
}

// TestNetworkLoadBalancerComesAndGoes holds that a living stack gets one and gives it up without a change to what runs, that it follows the
// number of load balancers and another machine, and what is to be entered in DNS.
func TestNetworkLoadBalancerComesAndGoes(t *testing.T) {
	t.Parallel()
	values := inSwarmMode()
	values["loadBalancers"] = 2
	e := simulated(t, values)
	up(t, e)

	attached := func(want ...string) {
		t.Helper()
		machines := map[resource.ID]string{}
		for _, machine := range e.World.Objects(instanceType) {
			machines[machine.ID] = machine.URN.Name()
		}
		var got []string
		for _, attachment := range e.World.Objects(attachmentType) {
			got = append(got, machines[resource.ID(attachment.Inputs["targetId"].StringValue())])
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("it has the machines %q, want %q", got, want)
		}
	}
	set := func(values map[string]any) map[string][]string {
		t.Helper()
		if err := e.Set(values); err != nil {
			t.Fatal(err)
		}
		changed := steps(up(t, e))
		unchanged(t, e)
		return changed
	}

	got := set(map[string]any{"networkLoadBalancer": true})
	want := []string{"interlock-vote-page-attachment", "interlock02-vote-page-attachment", "network-load-balancer", "vote-page-listener", "vote-page-targets"}
	if !slices.Equal(got["create"], want) || len(got) != 1 {
		t.Errorf("it does %v, want it to make %v", got, want)
	}
	attached("interlock", "interlock02")
	shown := outputs(t, e)
	if name, _ := shown["voteAlias"].Value.(string); !strings.HasPrefix(name, "network-load-balancer-") || !strings.HasSuffix(name, ".amazonaws.com") {
		t.Errorf("for DNS there is %q", name)
	}
	if addresses, ok := shown["voteAddresses"]; ok {
		t.Errorf("machines are shown for DNS, too: %v", addresses.Value)
	}

	if err := e.Set(map[string]any{"terminationProtection": true}); err != nil {
		t.Fatal(err)
	}
	up(t, e)
	if _, err := e.Destroy(t.Context()); err == nil {
		t.Error("it was deleted although it is protected")
	}
	set(map[string]any{"terminationProtection": false})

	set(map[string]any{"loadBalancers": 1})
	attached("interlock")

	got = set(map[string]any{"networkLoadBalancer": false})
	want = []string{"interlock-vote-page-attachment", "network-load-balancer", "vote-page-listener", "vote-page-targets"}
	if !slices.Equal(got["delete"], want) || len(got) != 1 {
		t.Errorf("it does %v, want it to delete %v", got, want)
	}
	if addresses, _ := outputs(t, e)["voteAddresses"].Value.([]any); len(addresses) != 1 {
		t.Errorf("for DNS there are %v", addresses)
	}
	destroyed(t, e)
}
