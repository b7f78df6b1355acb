package stack_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/crypto/ssh"

	"swarm-scale/infra"
	"swarm-scale/stack"
	"swarm-scale/test/rehearsal"
)

// registered is a resource as the program registered it.
type registered struct {
	token, name, parent, provider string
	inputs                        resource.PropertyMap
	custom                        bool
	request                       *pulumirpc.RegisterResourceRequest // with the resource's options
}

// mocks stands for the Pulumi engine and the clouds. It keeps every registered resource.
type mocks struct {
	mutex     sync.Mutex
	resources []registered
	lookups   map[string]string // what was asked last, by function
}

// NewResource returns a resource's inputs as its outputs, with what the clouds would add.
func (m *mocks) NewResource(arguments pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	request := arguments.RegisterRPC
	m.resources = append(m.resources, registered{
		token: arguments.TypeToken, name: arguments.Name, parent: request.GetParent(), provider: arguments.Provider,
		inputs: arguments.Inputs, custom: arguments.Custom, request: request,
	})
	outputs := arguments.Inputs.Copy()
	switch arguments.TypeToken {
	case "aws:ec2/vpc:Vpc":
		outputs["ownerId"] = resource.NewProperty("123456789012")
	case "aws:cloudwatch/logGroup:LogGroup", "aws:iam/role:Role":
		outputs["arn"] = resource.NewProperty("arn:aws:of:" + arguments.Name)
	case "aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup":
		outputs["arn"], outputs["dnsName"] = resource.NewProperty("arn:aws:of:"+arguments.Name), resource.NewProperty(arguments.Name+".elb.amazonaws.com")
	case "aws:ec2/instance:Instance":
		outputs["publicIp"] = resource.NewProperty("203.0.113." + fmt.Sprint(len(m.resources)))
	case "command:local:Command":
		block, err := ssh.MarshalPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), "")
		if err != nil {
			return "", nil, err
		}
		outputs["stdout"] = resource.NewProperty(string(pem.EncodeToMemory(block)))
	case "command:remote:Command":
		switch {
		case arguments.Name == "consul" || arguments.Name == "consul-generation":
			outputs["stdout"] = resource.NewProperty("generation: g1")
		case arguments.Name == "swarm":
			outputs["stdout"] = resource.NewProperty("swarm: swarm1")
		case strings.HasSuffix(arguments.Name, "-way"):
			role := regexp.MustCompile(`(?m)^export ROLE=(\w+)$`).FindStringSubmatch(plain(arguments.Inputs["stdin"]).StringValue())
			outputs["stdout"] = resource.MakeSecret(resource.NewProperty("token: " + tokenPrefix + role[1] + " 192.168.33.11"))
		}
	case "docker:index/image:Image":
		outputs["repoDigest"] = resource.NewProperty("sha256:built")
	case "docker:index/remoteImage:RemoteImage":
		outputs["imageId"] = resource.NewProperty("sha256:pulled")
	}
	return arguments.Name + "-id", outputs, nil
}

// Call answers the program's lookups.
func (m *mocks) Call(arguments pulumi.MockCallArgs) (resource.PropertyMap, error) {
	answers := map[string]map[string]any{
		"aws:index/getAvailabilityZones:getAvailabilityZones": {"names": []any{"us-west-1c", "us-west-1b"}},
		"aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {
			"instanceTypes": []any{"t2.micro", "t2.micro", "m3.medium"}, "locations": []any{"us-west-1b", "us-west-1c", "us-west-1c"},
		},
		"aws:ec2/getAmi:getAmi":                   {"id": "ami-0123456789abcdef0", "architecture": "x86_64"},
		"aws:ec2/getInstanceType:getInstanceType": {"supportedArchitectures": []any{"i386", "x86_64"}, "memorySize": 2048},
	}
	asked := fmt.Sprint(arguments.Args.Mappable())
	m.mutex.Lock()
	m.lookups[arguments.Token] = asked
	m.mutex.Unlock()
	for _, arm := range []string{"t4g.", "m7g.", "p6e-gb200.", armImage} {
		if strings.Contains(asked, arm) {
			answers["aws:ec2/getAmi:getAmi"]["architecture"] = "arm64"
			answers["aws:ec2/getInstanceType:getInstanceType"]["supportedArchitectures"] = []any{"arm64"}
		}
	}
	if strings.Contains(asked, ".nano") {
		answers["aws:ec2/getInstanceType:getInstanceType"]["memorySize"] = 512
	}
	answer, ok := answers[arguments.Token]
	if !ok {
		return nil, fmt.Errorf("unexpected lookup %s", arguments.Token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

// armImage is the only AMI of the mocks that is for arm64.
const armImage = "ami-0a0a0a0a0a0a0a0a0"

// tokenPrefix begins the tokens of the mocks' swarm.
const tokenPrefix = "SWMTKN-"

const password, voterKey = rehearsal.PostgresPassword, rehearsal.VoterKey

// awsSettings returns the dev stack's settings, with what an operator adds.
func awsSettings() map[string]string {
	return map[string]string{
		"cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true", "keyPair": "poll", "operatorCidr": "203.0.113.7/32", "postgresPassword": password, "voterKey": voterKey,
	}
}

// hostsSettings returns the settings of a stack on six existing machines.
func hostsSettings(t *testing.T) map[string]string {
	t.Helper()
	public, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public())
	if err != nil {
		t.Fatal(err)
	}
	var hosts []map[string]any
	for name, address := range map[string]string{
		"manager": "192.168.33.11", "interlock": "192.168.33.12", "frontend01": "192.168.33.20", "frontend02": "192.168.33.21",
		"worker01": "192.168.33.200", "store": "192.168.33.250",
	} {
		hosts = append(hosts, map[string]any{
			"name": name, "address": address, "port": 2222, "user": "root", "hostKey": string(ssh.MarshalAuthorizedKey(public)),
		})
	}
	list, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"platform": "hosts", "cluster": "standalone", "hosts": string(list), "postgresPassword": password, "voterKey": voterKey}
}

// onSwarmMode returns the settings with a cluster of swarm mode.
func onSwarmMode(values map[string]string) map[string]string {
	values = maps.Clone(values)
	values["cluster"], values["loadBalancer"] = "swarm-mode", "haproxy"
	return values
}

// deploy runs the program against mocks and returns the registered resources.
func deploy(t *testing.T, values map[string]string) ([]registered, error) {
	t.Helper()
	m, err := deployWithMocks(t, values)
	return m.resources, err
}

// nobody is a shell that no node answers.
func nobody(context.Context, infra.Login, string) (string, error) { return "", errors.New("no answer") }

// deployWithMocks runs the program against mocks.
func deployWithMocks(t *testing.T, values map[string]string) (*mocks, error) {
	t.Helper()
	// The program wants an SSH agent. With mocks, nothing dials.
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
	m := &mocks{lookups: map[string]string{}}
	err := pulumi.RunErr(stack.Program(nobody), pulumi.WithMocks("swarm-scale", "dev", m), func(info *pulumi.RunInfo) {
		info.Config = map[string]string{}
		for key, value := range values {
			info.Config["swarm-scale:"+key] = value
		}
		info.ConfigSecretKeys = []string{"swarm-scale:postgresPassword", "swarm-scale:postgresUrl", "swarm-scale:voterKey"}
	})
	return m, err
}

func find(t *testing.T, resources []registered, token, name string) registered {
	t.Helper()
	at := slices.IndexFunc(resources, func(r registered) bool { return r.token == token && r.name == name })
	if at < 0 {
		t.Fatalf("no %s named %s was registered", token, name)
	}
	return resources[at]
}

// text returns a property as JSON, without the wrappers of secrets and outputs.
func text(t *testing.T, value resource.PropertyValue) string {
	t.Helper()
	encoded, err := json.Marshal(plain(value).Mappable())
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// plain returns a property without the wrappers of secrets and outputs.
func plain(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return plain(value.SecretValue().Element)
	case value.IsOutput():
		return plain(value.OutputValue().Element)
	case value.IsArray():
		var elements []resource.PropertyValue
		for _, element := range value.ArrayValue() {
			elements = append(elements, plain(element))
		}
		return resource.NewProperty(elements)
	case value.IsObject():
		object := resource.PropertyMap{}
		for key, element := range value.ObjectValue() {
			object[key] = plain(element)
		}
		return resource.NewProperty(object)
	}
	return value
}
