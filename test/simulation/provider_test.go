package simulation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"golang.org/x/crypto/ssh"
)

// bench is one instance of a provider with helpers to call it as the Pulumi engine does.
type bench struct {
	*testing.T
	*provider
}

func newBench(t *testing.T, w *World, pkg *Package, config map[string]any) bench {
	b := bench{t, newProvider(w, pkg)}
	if _, err := b.Configure(t.Context(), plugin.ConfigureRequest{Inputs: properties(config)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func properties(m map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(m) }

func urn(token, name string) resource.URN {
	return resource.NewURN("dev", "test", "", tokens.Type(token), name)
}

// check returns the completed inputs.
func (b bench) check(token, name string, inputs map[string]any) (resource.PropertyMap, []plugin.CheckFailure) {
	b.Helper()
	response, err := b.Check(b.Context(), plugin.CheckRequest{URN: urn(token, name), News: properties(inputs)})
	if err != nil {
		b.Fatal(err)
	}
	return response.Properties, response.Failures
}

// create makes an object from unchecked inputs.
func (b bench) create(token, name string, inputs map[string]any) (plugin.CreateResponse, error) {
	b.Helper()
	checked, failures := b.check(token, name, inputs)
	if len(failures) > 0 {
		b.Fatal(failures)
	}
	return b.Create(b.Context(), plugin.CreateRequest{URN: urn(token, name), Properties: checked})
}

// must is create where a failure fails the test.
func (b bench) must(token, name string, inputs map[string]any) plugin.CreateResponse {
	b.Helper()
	response, err := b.create(token, name, inputs)
	if err != nil {
		b.Fatal(err)
	}
	return response
}

const (
	vpcToken       = "aws:ec2/vpc:Vpc"
	subnetToken    = "aws:ec2/subnet:Subnet"
	instanceToken  = "aws:ec2/instance:Instance"
	groupToken     = "aws:ec2/securityGroup:SecurityGroup"
	volumeToken    = "docker:index/volume:Volume"
	remoteToken    = "command:remote:Command"
	localToken     = "command:local:Command"
	imageToken     = "docker:index/image:Image"
	balancerToken  = "aws:lb/loadBalancer:LoadBalancer"
	targetsToken   = "aws:lb/targetGroup:TargetGroup"
	targetToken    = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
	remoteImgToken = "docker:index/remoteImage:RemoteImage"
)

func TestDiff(t *testing.T) {
	const none, update, replace, deleteFirst = "none", "update", "replace", "replace, delete first"
	tests := []struct {
		name, token string
		old, new    map[string]any
		want        string
	}{
		{"nothing changed", instanceToken, map[string]any{"ami": "a"}, map[string]any{"ami": "a"}, none},
		{"image of a machine", instanceToken, map[string]any{"ami": "a"}, map[string]any{"ami": "b"}, replace},
		{"address of a machine", instanceToken, map[string]any{"privateIp": "10.0.0.1"}, map[string]any{"privateIp": "10.0.0.2"}, replace},
		{"size of a machine", instanceToken, map[string]any{"instanceType": "t2.micro"}, map[string]any{"instanceType": "t3.micro"}, update},
		{"tags of a machine", instanceToken, map[string]any{"tags": map[string]any{"a": "1"}}, map[string]any{"tags": map[string]any{"a": "2"}}, update},
		{"user data", instanceToken, map[string]any{"userData": "a"}, map[string]any{"userData": "b"}, update},
		{"user data that replaces", instanceToken, map[string]any{"userData": "a", "userDataReplaceOnChange": true},
			map[string]any{"userData": "b", "userDataReplaceOnChange": true}, replace},
		{"size of a disk", instanceToken, map[string]any{"rootBlockDevice": map[string]any{"volumeSize": 8}},
			map[string]any{"rootBlockDevice": map[string]any{"volumeSize": 16}}, update},
		{"encryption of a disk", instanceToken, map[string]any{"rootBlockDevice": map[string]any{"encrypted": false}},
			map[string]any{"rootBlockDevice": map[string]any{"encrypted": true}}, replace},
		{"protection of a load balancer", balancerToken, map[string]any{"enableDeletionProtection": true}, map[string]any{"enableDeletionProtection": false}, update},
		{"a further subnet of a load balancer", balancerToken, map[string]any{"subnets": []any{"a"}}, map[string]any{"subnets": []any{"b", "a"}}, update},
		{"a subnet less of a load balancer", balancerToken, map[string]any{"subnets": []any{"a", "b"}}, map[string]any{"subnets": []any{"b"}}, replace},
		{"health check of a target group", targetsToken, map[string]any{"healthCheck": map[string]any{"interval": 10}}, map[string]any{"healthCheck": map[string]any{"interval": 30}}, update},
		{"port of a target group", targetsToken, map[string]any{"port": 80}, map[string]any{"port": 443}, replace},
		{"another machine in a target group", targetToken, map[string]any{"targetId": "i-1"}, map[string]any{"targetId": "i-2"}, replace},
		{"container with its name given", containerToken, map[string]any{"name": "redis", "image": "a"}, map[string]any{"name": "redis", "image": "b"}, deleteFirst},
		{"container with a new name", containerToken, map[string]any{"name": "redis", "image": "a"}, map[string]any{"name": "redis2", "image": "a"}, replace},
		{"one variable of a container", containerToken, map[string]any{"envs": []any{"A=1"}, "image": "a"}, map[string]any{"envs": []any{"A=2"}, "image": "a"}, replace},
		{"restart policy of a container", containerToken, map[string]any{"restart": "no"}, map[string]any{"restart": "always"}, update},
		{"context of an image", imageToken, map[string]any{"build": map[string]any{"contextDigest": "a"}}, map[string]any{"build": map[string]any{"contextDigest": "b"}}, update},
		{"tag of a stock image", remoteImgToken, map[string]any{"name": "redis:7"}, map[string]any{"name": "redis:8"}, replace},
		{"text of a command", remoteToken, map[string]any{"create": "a"}, map[string]any{"create": "b"}, update},
		{"trigger of a command", remoteToken, map[string]any{"triggers": []any{"a"}}, map[string]any{"triggers": []any{"b"}}, replace},
		{"the bridge's own notes", volumeToken, map[string]any{"__defaults": []any{}}, map[string]any{"__defaults": []any{"name"}}, none},
	}
	packages := []*Package{AWS(), Docker(), Command()}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, pkg := range packages {
				if !strings.HasPrefix(test.token, pkg.Name+":") {
					continue
				}
				b := newBench(t, NewWorld(0), pkg, nil)
				result, err := b.Diff(t.Context(), plugin.DiffRequest{
					URN: urn(test.token, "it"), OldInputs: properties(test.old), NewInputs: properties(test.new),
				})
				if err != nil {
					t.Fatal(err)
				}
				got := none
				switch {
				case result.Replace() && result.DeleteBeforeReplace:
					got = deleteFirst
				case result.Replace():
					got = replace
				case result.Changes == plugin.DiffSome:
					got = update
				}
				if got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			}
		})
	}
}

func TestDiffIgnoresSecretness(t *testing.T) {
	b := newBench(t, NewWorld(0), Command(), nil)
	result, err := b.Diff(t.Context(), plugin.DiffRequest{
		URN:       urn(remoteToken, "it"),
		OldInputs: resource.PropertyMap{"stdin": resource.NewStringProperty("x")},
		NewInputs: resource.PropertyMap{"stdin": resource.MakeSecret(resource.NewStringProperty("x"))},
	})
	if err != nil || result.Changes != plugin.DiffNone {
		t.Errorf("got %v, %v; want no change", result, err)
	}
}

func TestCheck(t *testing.T) {
	docker := newBench(t, NewWorld(0), Docker(), nil)
	if _, failures := docker.check(containerToken, "it", nil); len(failures) != 1 || failures[0].Property != "image" {
		t.Errorf("a container without an image: %v, want a failure of image", failures)
	}
	inputs, _ := docker.check(containerToken, "it", map[string]any{"image": "redis"})
	if name := text(inputs, "name"); !strings.HasPrefix(name, "it-") || len(name) != len("it-0123456") {
		t.Errorf("a container without a name is called %q, want it- and seven digits", name)
	}
	command := newBench(t, NewWorld(0), Command(), nil)
	inputs, _ = command.check(remoteToken, "it", map[string]any{"connection": map[string]any{"host": "h"}})
	if !inputs["connection"].IsSecret() {
		t.Error("a connection is not a secret")
	}
	if _, err := command.Check(t.Context(), plugin.CheckRequest{URN: urn("command:local:Nothing", "it")}); err == nil {
		t.Error("an unknown type is accepted")
	}
}

func TestPreviewLeavesComputedOutputsUnknown(t *testing.T) {
	b := newBench(t, NewWorld(0), AWS(), nil)
	created, err := b.Create(t.Context(), plugin.CreateRequest{
		URN: urn(instanceToken, "it"), Preview: true, Properties: properties(map[string]any{"privateIp": "192.168.33.11"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if created.ID != "" || len(b.world.Objects("*")) != 0 {
		t.Error("a preview made something")
	}
	if text(created.Properties, "privateIp") != "192.168.33.11" || !created.Properties["publicIp"].IsComputed() {
		t.Errorf("got %v, want the given private address and an unknown public one", created.Properties)
	}

	old := properties(map[string]any{"instanceType": "t2.micro", "privateIp": "192.168.33.11"})
	state := properties(map[string]any{"instanceType": "t2.micro", "privateIp": "192.168.33.11", "publicIp": "198.18.0.1"})
	for kind, known := range map[string]bool{"t2.micro": true, "t3.micro": false} {
		updated, err := b.Update(t.Context(), plugin.UpdateRequest{
			URN: urn(instanceToken, "it"), ID: "i-1", Preview: true, OldInputs: old, OldOutputs: state,
			NewInputs: properties(map[string]any{"instanceType": kind, "privateIp": "192.168.33.11", "tags": map[string]any{"a": "b"}}),
		})
		if err != nil || updated.Properties["publicIp"].IsComputed() == known {
			t.Errorf("size %s: public address %v, %v; want it known: %v", kind, updated.Properties["publicIp"], err, known)
		}
	}
}

func TestAWSRefusesInvalidRequests(t *testing.T) {
	w := NewWorld(0)
	b := newBench(t, w, AWS(), nil)
	vpc := b.must(vpcToken, "vpc", map[string]any{"cidrBlock": "192.168.0.0/16"})
	subnet := b.must(subnetToken, "subnet", map[string]any{"vpcId": string(vpc.ID), "availabilityZone": "us-west-1a", "mapPublicIpOnLaunch": true})
	machine := map[string]any{"instanceType": "t2.micro", "subnetId": string(subnet.ID), "privateIp": "192.168.33.11"}
	b.must(instanceToken, "manager", machine)
	b.must(groupToken, "group", map[string]any{"name": "ssh", "vpcId": string(vpc.ID)})

	for name, test := range map[string]struct {
		token  string
		inputs map[string]any
		want   string
	}{
		"an address in use":             {instanceToken, machine, "InvalidIPAddress.InUse"},
		"a subnet that is not there":    {instanceToken, map[string]any{"subnetId": "subnet-0"}, "does not exist"},
		"a type the zone does not have": {instanceToken, map[string]any{"subnetId": string(subnet.ID), "instanceType": "m3.medium"}, "Unsupported"},
		"two groups with one name":      {groupToken, map[string]any{"name": "ssh", "vpcId": string(vpc.ID)}, "InvalidGroup.Duplicate"},
	} {
		before := len(w.Objects("*"))
		if _, err := b.create(test.token, "other", test.inputs); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if after := len(w.Objects("*")); after != before {
			t.Errorf("%s: %d objects instead of %d afterwards", name, after, before)
		}
	}
	_, err := b.Delete(t.Context(), plugin.DeleteRequest{URN: urn(vpcToken, "vpc"), ID: vpc.ID, Inputs: vpc.Properties, Outputs: vpc.Properties})
	if err == nil || !strings.Contains(err.Error(), "DependencyViolation") {
		t.Errorf("deleting a VPC with a subnet: %v, want DependencyViolation", err)
	}
}

func TestFunctions(t *testing.T) {
	w := NewWorld(0)
	w.SetAMI("ami-newest")
	b := newBench(t, w, AWS(), nil)
	call := func(token string, args map[string]any) resource.PropertyMap {
		t.Helper()
		response, err := b.Invoke(t.Context(), plugin.InvokeRequest{Tok: tokens.ModuleMember(token), Args: properties(args)})
		if err != nil {
			t.Fatal(err)
		}
		return response.Properties
	}
	if id := text(call("aws:ec2/getAmi:getAmi", nil), "id"); id != "ami-newest" {
		t.Errorf("the newest image is %q", id)
	}
	offered := call("aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings", map[string]any{
		"locationType": "availability-zone",
		"filters":      []any{map[string]any{"name": "instance-type", "values": []any{"m3.medium"}}},
	})
	if zones := texts(offered["locations"]); len(zones) != 1 || zones[0] != "us-west-1c" {
		t.Errorf("m3.medium is offered in %v, want us-west-1c alone", zones)
	}
	if _, err := b.Invoke(t.Context(), plugin.InvokeRequest{Tok: "aws:s3/getBucket:getBucket"}); err == nil {
		t.Error("an unknown function is answered")
	}
}

// TestZones holds that a region has its own zones, and what EC2 refuses about subnets and zones.
func TestZones(t *testing.T) {
	b := newBench(t, NewWorld(0), AWS(), map[string]any{"region": "us-west-2"})
	response, err := b.Invoke(t.Context(), plugin.InvokeRequest{Tok: "aws:index/getAvailabilityZones:getAvailabilityZones"})
	if zones := strings.Join(texts(response.Properties["names"]), " "); err != nil || zones != "us-west-2a us-west-2b us-west-2c us-west-2d" {
		t.Errorf("the zones of us-west-2 are %s, %v", zones, err)
	}
	vpc := b.must(vpcToken, "vpc", map[string]any{"cidrBlock": "192.168.0.0/16"})
	inA := map[string]any{"vpcId": string(vpc.ID), "cidrBlock": "192.168.33.0/24", "availabilityZone": "us-west-2a"}
	subnet := b.must(subnetToken, "subnet", inA)
	machine := b.must(instanceToken, "a", map[string]any{"instanceType": "t2.micro", "subnetId": string(subnet.ID), "privateIp": "192.168.33.20"})
	disk := b.must("aws:ebs/volume:Volume", "disk", map[string]any{"availabilityZone": "us-west-2b"})
	for _, test := range []struct {
		token  string
		inputs map[string]any
		want   string
	}{
		{subnetToken, inA, "InvalidSubnet.Conflict"},
		{instanceToken, map[string]any{"instanceType": "t2.micro", "subnetId": string(subnet.ID), "privateIp": "192.168.34.20"}, "does not fall within the subnet's address range"},
		{"aws:ec2/volumeAttachment:VolumeAttachment", map[string]any{"deviceName": "/dev/sdf", "instanceId": string(machine.ID), "volumeId": string(disk.ID)}, "InvalidVolume.ZoneMismatch"},
	} {
		if _, err := b.create(test.token, "second", test.inputs); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.token, err, test.want)
		}
	}
}

// machines makes a VPC with two machines named a and b and returns their public
// addresses.
func machines(t *testing.T, w *World) (string, string) {
	cloud := newBench(t, w, AWS(), nil)
	vpc := cloud.must(vpcToken, "vpc", map[string]any{"cidrBlock": "192.168.0.0/16"})
	subnet := cloud.must(subnetToken, "subnet", map[string]any{"vpcId": string(vpc.ID), "mapPublicIpOnLaunch": true})
	var addresses []string
	for _, name := range []string{"a", "b"} {
		machine := cloud.must(instanceToken, name, map[string]any{
			"instanceType": "t2.micro", "subnetId": string(subnet.ID), "tags": map[string]any{"Name": name},
		})
		addresses = append(addresses, text(machine.Properties, "publicIp"))
	}
	return addresses[0], addresses[1]
}

func TestDockerRefusesConflicts(t *testing.T) {
	w := NewWorld(0)
	a, other := machines(t, w)
	here := newBench(t, w, Docker(), map[string]any{"host": "ssh://ubuntu@" + a})
	there := newBench(t, w, Docker(), map[string]any{"host": "ssh://ubuntu@" + other})

	image := here.must(remoteImgToken, "redis", map[string]any{"name": "redis:7"})
	volume := here.must(volumeToken, "data", map[string]any{"name": "data"})
	redis := map[string]any{
		"name": "redis", "image": text(image.Properties, "imageId"), "volumes": []any{map[string]any{"volumeName": "data"}},
	}
	here.must(containerToken, "redis", redis)
	if _, err := here.create(containerToken, "again", redis); err == nil || !strings.Contains(err.Error(), "Conflict") {
		t.Errorf("a second container of the same name: %v, want a conflict", err)
	}
	there.must(containerToken, "there", redis)
	there.must(volumeToken, "there", map[string]any{"name": "data"})

	placed := map[string]any{"name": "web", "image": "web", "envs": []any{"constraint:node==b"}}
	here.must(containerToken, "web", placed)
	if _, err := there.create(containerToken, "web2", placed); err == nil {
		t.Error("two containers of one name in the Swarm are accepted")
	}

	for token, object := range map[string]plugin.CreateResponse{remoteImgToken: image, volumeToken: volume} {
		_, err := here.Delete(t.Context(), plugin.DeleteRequest{URN: urn(token, "it"), ID: object.ID, Inputs: object.Properties, Outputs: object.Properties})
		if err == nil || !strings.Contains(err.Error(), "unable to remove") {
			t.Errorf("deleting %s in use: %v, want a refusal", token, err)
		}
	}
}

func TestVanishedMachineTakesItsObjects(t *testing.T) {
	w := NewWorld(0)
	a, _ := machines(t, w)
	here := newBench(t, w, Docker(), map[string]any{"host": "ssh://ubuntu@" + a})
	here.must(containerToken, "own", map[string]any{"name": "own", "image": "i"})
	here.must(containerToken, "placed", map[string]any{"name": "placed", "image": "i", "envs": []any{"constraint:node==b"}})
	if gone := w.Vanish("*::b"); gone != 2 {
		t.Errorf("with machine b %d objects went, want it and the container placed on it", gone)
	}
	if len(w.Objects("own")) != 1 || len(w.Objects("placed")) != 0 {
		t.Errorf("left: %v", w.Objects(containerToken))
	}
	w.Vanish("*::a")
	if _, err := here.create(containerToken, "late", map[string]any{"image": "i"}); err == nil || !strings.Contains(err.Error(), "error pinging") {
		t.Errorf("a container on a machine that is gone: %v, want a failure to reach it", err)
	}
}

func TestImageDigestFollowsContext(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Dockerfile", "FROM scratch\n")
	w := NewWorld(0)
	w.SetRoot(root)
	b := newBench(t, w, Docker(), map[string]any{"host": "ssh://ubuntu@192.168.33.20"})
	digest := func() string {
		t.Helper()
		created := b.must(imageToken, "web", map[string]any{"imageName": "web", "build": map[string]any{"context": "."}})
		w.Vanish(imageToken)
		return text(created.Properties, "repoDigest")
	}
	first := digest()
	if !strings.HasPrefix(first, "sha256:") || digest() != first {
		t.Errorf("the same context gives %q and then another digest", first)
	}
	write("program", "changed")
	if digest() == first {
		t.Error("a changed context gives the same digest")
	}
	if _, failures := b.check(imageToken, "web", map[string]any{"imageName": "web", "build": map[string]any{"context": "missing"}}); len(failures) != 1 {
		t.Errorf("a missing Dockerfile: %v, want one failure", failures)
	}
}

func TestCommands(t *testing.T) {
	w := NewWorld(0)
	var ran []Execution
	w.OnCommand("*uname*", func(e Execution) (Outcome, error) {
		ran = append(ran, e)
		return Outcome{Stdout: "5.15\n", Took: time.Minute}, nil
	})
	w.OnCommand("broken", func(Execution) (Outcome, error) { return Outcome{Stderr: "no such file"}, errors.New("exit 1") })
	b := newBench(t, w, Command(), nil)
	connection := map[string]any{"host": "192.168.33.11"}

	made := b.must(remoteToken, "kernel", map[string]any{"connection": connection, "create": "uname -r", "stdin": "in"})
	if text(made.Properties, "stdout") != "5.15" || len(ran) != 1 || ran[0].Host != "192.168.33.11" || ran[0].Stdin != "in" {
		t.Errorf("got %v by %v", made.Properties, ran)
	}
	if !made.Properties["connection"].IsSecret() {
		t.Error("the output connection is not secret")
	}
	if _, err := b.Update(t.Context(), plugin.UpdateRequest{
		URN: urn(remoteToken, "kernel"), ID: made.ID, OldInputs: made.Properties, OldOutputs: made.Properties,
		NewInputs: properties(map[string]any{"connection": connection, "create": "uname -r", "update": "uname -a"}),
	}); err != nil || len(ran) != 2 || ran[1].Text != "uname -a" {
		t.Errorf("an update ran %v, %v", ran, err)
	}
	if _, err := b.create(remoteToken, "broken", map[string]any{"connection": connection, "create": "cat x"}); err == nil ||
		!strings.Contains(err.Error(), `running "cat x"`) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a failing command: %v", err)
	}
	key := b.must(localToken, "key", map[string]any{"create": "ssh-keygen -t ed25519"})
	if _, err := ssh.ParsePrivateKey([]byte(text(key.Properties, "stdout"))); err != nil {
		t.Errorf("the host key: %v", err)
	}

	w.MachineDead("192.168.33.*")
	remove := func(inputs map[string]any) error {
		_, err := b.Delete(t.Context(), plugin.DeleteRequest{URN: urn(remoteToken, "kernel"), ID: made.ID, Inputs: properties(inputs), Outputs: properties(inputs)})
		return err
	}
	if err := remove(map[string]any{"connection": connection, "create": "uname"}); err != nil {
		t.Errorf("a command with nothing to delete dials: %v", err)
	}
	if err := remove(map[string]any{"connection": connection, "delete": "uname"}); err == nil {
		t.Error("a command with something to delete does not dial")
	}
	if took := w.Records()[0].Took; took != time.Minute {
		t.Errorf("the command took %v in the record, want a minute", took)
	}
}

func TestFaultsAndRecords(t *testing.T) {
	w := NewWorld(0)
	b := newBench(t, w, AWS(), nil)
	broken := errors.New("RequestLimitExceeded")
	w.FailNext("vpc", Create, broken)
	if _, err := b.create(vpcToken, "vpc", nil); !errors.Is(err, broken) {
		t.Errorf("the first creation: %v, want %v", err, broken)
	}
	made := b.must(vpcToken, "vpc", nil)
	w.FailNext(vpcToken, Read, broken)
	w.FailNext(vpcToken, Read, broken)
	for range 2 {
		if _, err := b.Read(t.Context(), plugin.ReadRequest{URN: urn(vpcToken, "vpc"), ID: made.ID}); !errors.Is(err, broken) {
			t.Errorf("reading: %v, want %v", err, broken)
		}
	}
	if read, err := b.Read(t.Context(), plugin.ReadRequest{URN: urn(vpcToken, "vpc"), ID: made.ID}); err != nil || read.Outputs == nil {
		t.Errorf("a third read: %v, %v; want it to work", read, err)
	}
	w.Vanish("vpc")
	if read, err := b.Read(t.Context(), plugin.ReadRequest{URN: urn(vpcToken, "vpc"), ID: made.ID}); err != nil || read.ID != "" || read.Outputs != nil {
		t.Errorf("reading what is gone: %v, %v; want nothing", read, err)
	}
	changes := w.Records()
	if len(changes) != 2 || changes[0].Err == nil || changes[1].Err != nil || changes[1].ID != made.ID || changes[1].Took != 12*time.Second {
		t.Errorf("records: %+v", changes)
	}
}

func TestTimeIsScaledAndInterruptible(t *testing.T) {
	b := newBench(t, NewWorld(0.01), AWS(), nil)
	start := time.Now()
	b.must(vpcToken, "vpc", nil)
	if took := time.Since(start); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("twelve seconds at a hundredth took %v", took)
	}
	slow := newBench(t, NewWorld(1000), AWS(), nil)
	time.AfterFunc(50*time.Millisecond, func() { _ = slow.SignalCancellation(context.Background()) })
	if _, err := slow.create(vpcToken, "vpc", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a creation interrupted: %v", err)
	}
	if left := slow.world.Objects("*"); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

func TestMaxParallel(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	records := []Record{
		{Op: Create, Took: 1, Start: at(0), End: at(4)}, {Op: Create, Took: 1, Start: at(1), End: at(2)},
		{Op: Create, Took: 1, Start: at(2), End: at(3)},
	}
	if most := MaxParallel(records); most != 2 {
		t.Errorf("got %d, want 2", most)
	}
}

// TestLoadBalancing holds what AWS refuses to make and to delete of a network load balancer.
func TestLoadBalancing(t *testing.T) {
	w := NewWorld(0)
	b := newBench(t, w, AWS(), nil)
	vpc := b.must(vpcToken, "vpc", map[string]any{"cidrBlock": "192.168.0.0/16"})
	subnet := b.must(subnetToken, "subnet", map[string]any{"vpcId": string(vpc.ID), "availabilityZone": "us-west-1a"})
	protected := map[string]any{"subnets": []any{string(subnet.ID)}, "enableDeletionProtection": true}
	balancer := b.must(balancerToken, "balancer", protected)
	if name, arn := text(balancer.Properties, "dnsName"), text(balancer.Properties, "arn"); !strings.HasPrefix(name, "balancer-") || arn != string(balancer.ID) {
		t.Errorf("it is called %q, and is %q and %q", name, arn, balancer.ID)
	}
	targets := b.must(targetsToken, "targets", map[string]any{"vpcId": string(vpc.ID), "port": 80})
	listening := map[string]any{
		"loadBalancerArn": string(balancer.ID), "port": 80, "defaultActions": []any{map[string]any{"type": "forward", "targetGroupArn": string(targets.ID)}},
	}
	listening80 := b.must(listenerToken, "listener", listening)

	if _, failures := b.check(balancerToken, "a-name-that-is-too-long-for-aws", nil); len(failures) != 1 || failures[0].Property != "name" {
		t.Errorf("a name of more than 32 characters: %v", failures)
	}
	if _, err := b.create(listenerToken, "another", listening); err == nil || !strings.Contains(err.Error(), "DuplicateListener") {
		t.Errorf("two listeners at one port: %v", err)
	}
	if _, err := b.create(targetToken, "gone", map[string]any{"targetGroupArn": string(targets.ID), "targetId": "i-0"}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a target that is not there: %v", err)
	}
	remove := func(token, name string, id resource.ID, inputs map[string]any) error {
		_, err := b.Delete(t.Context(), plugin.DeleteRequest{URN: urn(token, name), ID: id, Inputs: properties(inputs), Outputs: properties(inputs)})
		return err
	}
	for _, test := range []struct {
		name, token string
		id          resource.ID
		inputs      map[string]any
		want        string
	}{
		{"a protected load balancer", balancerToken, balancer.ID, protected, "OperationNotPermitted"},
		{"targets that a listener has", targetsToken, targets.ID, nil, "ResourceInUse"},
		{"the subnet of a load balancer", subnetToken, subnet.ID, nil, "DependencyViolation"},
		{"the listener", listenerToken, listening80.ID, listening, ""},
		{"targets that nothing has", targetsToken, targets.ID, nil, ""},
	} {
		if err := remove(test.token, test.name, test.id, test.inputs); (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("deleting %s: %v, want %q", test.name, err, test.want)
		}
	}
}
