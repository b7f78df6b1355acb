package settings_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// hostKey is the public half of a key pair made for this test.
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuyBIm7eNAyRfwLSNeFczlzv95kfT+lCFwmMnTNCaBn"

var voterKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// testKey is a key pair that everybody can compute.
var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func privateKey(block *pem.Block, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// onAWS is the least that a stack on AWS has to set.
func onAWS() map[string]string {
	return map[string]string{
		"keyPair": "poll", "operatorCidr": "203.0.113.7/32",
		"postgresPassword": "correct horse battery", "voterKey": voterKey,
	}
}

// onHosts is the least that a stack on existing machines has to set.
func onHosts() map[string]string {
	return map[string]string{
		"platform": "hosts", "frontends": "1",
		"postgresPassword": "correct horse battery", "voterKey": voterKey,
		"hosts": "[" + strings.Join([]string{
			host("manager", "10.0.0.1"), host("interlock", "10.0.0.2"), host("frontend01", "10.0.0.3"),
			host("worker01", "10.0.0.4"), host("store", "10.0.0.5"),
		}, ",") + "]",
	}
}

func host(name, address string) string {
	return fmt.Sprintf(`{"name":%q,"address":%q,"hostKey":%q}`, name, address, hostKey)
}

func load(values map[string]string, plain ...string) (settings.Settings, error) {
	return settings.Load(settings.Source{
		Value: func(key string) (string, bool) { value, ok := values[key]; return value, ok },
		IsSecret: func(key string) bool {
			for _, name := range plain {
				if key == name {
					return false
				}
			}
			return true
		},
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "/keys/locked":
				return privateKey(ssh.MarshalPrivateKeyWithPassphrase(testKey, "", []byte("a passphrase")))
			case "/keys/text":
				return []byte("not a key\n"), nil
			case "/keys/good":
				return privateKey(ssh.MarshalPrivateKey(testKey, ""))
			}
			return nil, fs.ErrNotExist
		},
	})
}

func TestDefaultsAreTheWalkThrough(t *testing.T) {
	s, err := load(onAWS())
	if err != nil {
		t.Fatal(err)
	}
	if s.Platform != settings.AWS || s.Architecture != "amd64" || s.AWS.Region != "us-west-1" ||
		s.AWS.VPC.String() != "192.168.0.0/16" || s.AWS.Subnet.String() != "192.168.33.0/24" ||
		s.AWS.InstanceTypes[topology.Store] != "m3.medium" || s.AWS.InstanceTypes[topology.Frontend] != "t2.micro" ||
		s.LoadBalancer != settings.HAProxy || s.Ballot != (settings.Ballot{OptionA: "Cats", OptionB: "Dogs"}) ||
		s.AppendFsync != "always" || s.SSH.User != "ubuntu" || s.SSH.PrivateKeyFile != "" || len(s.Hosts) != 0 {
		t.Errorf("unexpected defaults: %+v", s)
	}
	if of := count(s); of[topology.Frontend] != 2 || of[topology.Worker] != 1 || len(s.Nodes) != 6 || s.Nodes[5].Address.String() != "192.168.33.250" {
		t.Errorf("unexpected nodes: %v", s.Nodes)
	}
}

// count is how many nodes of each role there are.
func count(s settings.Settings) map[topology.Role]int {
	of := map[topology.Role]int{}
	for _, node := range s.Nodes {
		of[node.Role]++
	}
	return of
}

// TestArchitecture holds that the instance types tell the architecture, and the setting where there are none.
func TestArchitecture(t *testing.T) {
	for kind, want := range map[string]string{
		"t2.micro": "amd64", "g4dn.xlarge": "amd64", "m7i-flex.large": "amd64", "gr6.4xlarge": "amd64", "c6a.large": "amd64",
		"a1.medium": "arm64", "t4g.micro": "arm64", "c7gn.large": "arm64", "im4gn.large": "arm64", "r8gd.metal-24xl": "arm64",
	} {
		values := onAWS()
		for _, role := range []string{"manager", "loadBalancer", "frontend", "worker", "store"} {
			values[role+"InstanceType"] = kind
		}
		if s, err := load(values); err != nil || s.Architecture != want {
			t.Errorf("%s is %s, want %s (%v)", kind, s.Architecture, want, err)
		}
	}
	values := onHosts()
	for set, want := range map[string]string{"": "amd64", "arm64": "arm64"} {
		values["architecture"] = set
		if s, err := load(values); err != nil || s.Architecture != want {
			t.Errorf("architecture %q on hosts is %s, want %s (%v)", set, s.Architecture, want, err)
		}
	}
}

func TestHosts(t *testing.T) {
	values := onHosts()
	values["hosts"] = strings.Replace(values["hosts"], `"name":"store","address":"10.0.0.5"`,
		`"name":"store","address":"store.example.org","privateAddress":"10.9.9.9","port":2222,"user":"admin"`, 1)
	values["hosts"] = "[" + host("frontend02", "10.0.0.77") + "," + values["hosts"][1:] // a spare, and in another order
	s, err := load(values)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Hosts) != 5 || len(s.Nodes) != 5 {
		t.Fatalf("got %d hosts and %d nodes, want 5 of each (a spare machine is left alone)", len(s.Hosts), len(s.Nodes))
	}
	for i, node := range s.Nodes {
		if s.Hosts[i].Name != node.Name || s.Hosts[i].PrivateAddress != node.Address.String() {
			t.Errorf("host %d is %+v, its node %+v", i, s.Hosts[i], node)
		}
	}
	store := s.Hosts[4]
	if store.Address != "store.example.org" || store.PrivateAddress != "10.9.9.9" || store.Port != 2222 || store.User != "admin" {
		t.Errorf("store is %+v", store)
	}
	if first := s.Hosts[0]; first.Port != 22 || first.User != "ubuntu" || first.PrivateAddress != "10.0.0.1" {
		t.Errorf("manager lacks its defaults: %+v", first)
	}
}

func TestKeyFile(t *testing.T) {
	values := onAWS()
	values["sshPrivateKeyFile"] = "/keys/good"
	s, err := load(values)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.SSH.PrivateKey.Reveal(), "BEGIN OPENSSH PRIVATE KEY") {
		t.Error("the key file's content is missing")
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.SSH.PrivateKey); strings.Contains(shown, "BEGIN OPENSSH") || strings.Contains(shown, "correct horse") {
		t.Errorf("formatting the settings shows a secret: %s", shown)
	}
}

// TestBrokenConfigs has configs as people break them. Each error has to name the key and the value and say what to do.
func TestBrokenConfigs(t *testing.T) {
	for name, test := range map[string]struct {
		base  func() map[string]string
		set   map[string]string // "-" takes a key away
		plain []string          // keys that are not encrypted
		want  []string          // parts of the error
		count int               // how many faults; 0: one
	}{
		"unknown platform": {onAWS, map[string]string{"platform": "azure"}, nil,
			[]string{`swarm-scale:platform is "azure"`, "set it to aws or hosts"}, 0},
		"no frontend": {onAWS, map[string]string{"frontends": "0"}, nil,
			[]string{`swarm-scale:frontends is "0"`, "1 … 180"}, 0},
		"too many frontends": {onAWS, map[string]string{"frontends": "181"}, nil,
			[]string{`swarm-scale:frontends is "181"`, "1 … 180"}, 0},
		"frontends in words": {onAWS, map[string]string{"frontends": "two"}, nil,
			[]string{`swarm-scale:frontends is "two"`, "not a whole number"}, 0},
		"too many workers": {onAWS, map[string]string{"workers": "51"}, nil,
			[]string{`swarm-scale:workers is "51"`, "1 … 50"}, 0},
		"no key pair": {onAWS, map[string]string{"keyPair": "-"}, nil,
			[]string{"swarm-scale:keyPair is not set", "pulumi config set keyPair"}, 0},
		"no operator range": {onAWS, map[string]string{"operatorCidr": "-"}, nil,
			[]string{"swarm-scale:operatorCidr is not set", "pulumi config set operatorCidr"}, 0},
		"SSH open to the world": {onAWS, map[string]string{"operatorCidr": "0.0.0.0/0"}, nil,
			[]string{`swarm-scale:operatorCidr is "0.0.0.0/0"`, "whole internet", "allowSshFromAnywhere true"}, 0},
		"operator range without a length": {onAWS, map[string]string{"operatorCidr": "203.0.113.7"}, nil,
			[]string{`swarm-scale:operatorCidr is "203.0.113.7"`, "ADDRESS/32"}, 0},
		"operator range with host bits": {onAWS, map[string]string{"operatorCidr": "203.0.113.7/24"}, nil,
			[]string{"write it as 203.0.113.0/24, or as 203.0.113.7/32"}, 0},
		"a boolean in words": {onAWS, map[string]string{"allowSshFromAnywhere": "perhaps"}, nil,
			[]string{`swarm-scale:allowSshFromAnywhere is "perhaps"`, "true or false"}, 0},
		"region that is a zone": {onAWS, map[string]string{"region": "us-west-1b"}, nil,
			[]string{`swarm-scale:region is "us-west-1b"`, "such as us-west-1"}, 0},
		"zone of another region": {onAWS, map[string]string{"availabilityZone": "eu-west-1a"}, nil,
			[]string{`swarm-scale:availabilityZone is "eu-west-1a"`, "not in the region us-west-1"}, 0},
		"VPC range that is none": {onAWS, map[string]string{"vpcCidr": "192.168.0.0"}, nil,
			[]string{`swarm-scale:vpcCidr is "192.168.0.0"`, "not an IPv4 range"}, 0},
		"VPC range too large": {onAWS, map[string]string{"vpcCidr": "192.0.0.0/8"}, nil,
			[]string{"not of a size that AWS allows", "/16 to /28"}, 0},
		"subnet outside the VPC": {onAWS, map[string]string{"subnetCidr": "10.0.0.0/24"}, nil,
			[]string{`swarm-scale:subnetCidr is "10.0.0.0/24"`, "not inside vpcCidr 192.168.0.0/16"}, 0},
		"subnet too small for the plan": {onAWS, map[string]string{"subnetCidr": "192.168.33.0/25"}, nil,
			[]string{`swarm-scale:subnetCidr is "192.168.33.0/25"`, "store: address 192.168.33.250 is outside"}, 0},
		"subnet with host bits": {onAWS, map[string]string{"subnetCidr": "192.168.33.5/24"}, nil,
			[]string{"write it as 192.168.33.0/24"}, 0},
		"instance type that is none": {onAWS, map[string]string{"storeInstanceType": "large"}, nil,
			[]string{`swarm-scale:storeInstanceType is "large"`, "such as m3.medium"}, 0},
		"AMI that is none": {onAWS, map[string]string{"ami": "ubuntu-22.04"}, nil,
			[]string{`swarm-scale:ami is "ubuntu-22.04"`, "ami-0123456789abcdef0"}, 0},
		"architecture of another instance type": {onAWS, map[string]string{"architecture": "arm64"}, nil,
			[]string{`swarm-scale:architecture is "arm64"`, "not the architecture of t2.micro"}, 0},
		"instance types of two architectures": {onAWS, map[string]string{"workerInstanceType": "t4g.micro"}, nil,
			[]string{`swarm-scale:workerInstanceType is "t4g.micro"`, "of one architecture"}, 0},
		"architecture by its other name": {onHosts, map[string]string{"architecture": "x86_64"}, nil,
			[]string{`swarm-scale:architecture is "x86_64"`, "amd64 or arm64"}, 0},
		"disk too small": {onAWS, map[string]string{"diskSize": "4"}, nil, []string{`swarm-scale:diskSize is "4"`, "8 … 1024"}, 0},
		"SSH user that is none": {onAWS, map[string]string{"sshUser": "Jane Doe"}, nil,
			[]string{`swarm-scale:sshUser is "Jane Doe"`, "not a user name"}, 0},
		"key file that is not there": {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/none"}, nil,
			[]string{`swarm-scale:sshPrivateKeyFile is "/keys/none"`, "cannot be read", "SSH agent"}, 0},
		"key file that is no key": {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/text"}, nil,
			[]string{"holds no private key that can be used"}, 0},
		"key file with a passphrase": {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/locked"}, nil,
			[]string{"passphrase", "ssh-add"}, 0},
		"unknown load balancer": {onAWS, map[string]string{"loadBalancer": "nginx"}, nil,
			[]string{`swarm-scale:loadBalancer is "nginx"`, "haproxy or interlock"}, 0},
		"one option twice": {onAWS, map[string]string{"optionA": "Cats", "optionB": "cats"}, nil,
			[]string{`swarm-scale:optionB is "cats"`, "same as the other option's"}, 0},
		"an essay on the ballot": {onAWS, map[string]string{"optionA": strings.Repeat("cat ", 20)}, nil,
			[]string{"longer than 40 characters"}, 0},
		"a line break on the ballot": {onAWS, map[string]string{"optionA": "Cats\nand dogs"}, nil,
			[]string{"cannot be printed"}, 0},
		"unknown appendfsync": {onAWS, map[string]string{"redisAppendfsync": "no"}, nil,
			[]string{`swarm-scale:redisAppendfsync is "no"`, "always or everysec"}, 0},
		"no password": {onAWS, map[string]string{"postgresPassword": "-"}, nil,
			[]string{"swarm-scale:postgresPassword is not set", "pulumi config set --secret postgresPassword"}, 0},
		"a short password": {onAWS, map[string]string{"postgresPassword": "hunter2"}, nil,
			[]string{"swarm-scale:postgresPassword", "has 7 characters", "12 to 128"}, 0},
		"the walk-through's password": {onAWS, map[string]string{"postgresPassword": "pg8675309"}, nil,
			[]string{"printed in the walk-through"}, 0},
		"a password of two lines": {onAWS, map[string]string{"postgresPassword": "correct horse\nbattery"}, nil,
			[]string{"line break"}, 0},
		"a password in plain text": {onAWS, nil, []string{"postgresPassword"},
			[]string{"swarm-scale:postgresPassword", "plain text", "--secret"}, 0},
		"a voter key that is no base64": {onAWS, map[string]string{"voterKey": "my key"}, nil,
			[]string{"swarm-scale:voterKey", "base64 of at least 32 bytes", "openssl rand -base64 32"}, 0},
		"a voter key of zeros": {onAWS, map[string]string{"voterKey": base64.StdEncoding.EncodeToString(make([]byte, 32))}, nil,
			[]string{"one byte over and over"}, 0},
		"an image without a version": {onAWS, map[string]string{"redisImage": "redis"}, nil,
			[]string{`swarm-scale:redisImage is "redis"`, "which version", "redis:7.2.5"}, 0},
		"an image at latest": {onAWS, map[string]string{"postgresImage": "postgres:latest"}, nil,
			[]string{"which version"}, 0},
		"an image that is none": {onAWS, map[string]string{"consulImage": "Consul:1"}, nil,
			[]string{`swarm-scale:consulImage is "Consul:1"`, "not an image name"}, 0},
		"hosts that are no list": {onHosts, map[string]string{"hosts": `{"manager":"10.0.0.1"}`}, nil,
			[]string{"swarm-scale:hosts is not a list of machines"}, 0},
		"hosts with a misspelt field": {onHosts, map[string]string{"hosts": `[{"name":"manager","adress":"10.0.0.1"}]`}, nil,
			[]string{"swarm-scale:hosts", `unknown field "adress"`}, 0},
		"a machine is missing": {onHosts, map[string]string{"frontends": "2"}, nil,
			[]string{"swarm-scale:hosts has no machine named frontend02", "fewer frontends"}, 0},
		"one address twice": {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.5", "10.0.0.4", 1)}, nil,
			[]string{"store: address 10.0.0.4 is also the address of worker01"}, 0},
		"a machine of no role": {onHosts, map[string]string{"hosts": "[" + host("database", "10.0.0.9") + "," + onHosts()["hosts"][1:]}, nil,
			[]string{`swarm-scale:hosts[0].name is "database"`, "use manager"}, 0},
		"no host key": {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, "", 1)}, nil,
			[]string{"swarm-scale:hosts[0].hostKey", "ssh-keyscan -t ed25519 10.0.0.1"}, 0},
		"a private address that is a name": {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "manager.example.org", 1)}, nil,
			[]string{`swarm-scale:hosts[0].privateAddress is "manager.example.org"`}, 0},
		"a port out of range": {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.0.0.1","port":70000`, 1)}, nil,
			[]string{`swarm-scale:hosts[0].port is "70000"`}, 0},
		"everything at once": {
			func() map[string]string { return nil },
			map[string]string{"frontends": "999", "loadBalancer": "nginx", "operatorCidr": "0.0.0.0/0", "subnetCidr": "10.0.0.0/24", "redisImage": "redis:latest"}, nil,
			[]string{"frontends", "loadBalancer", "operatorCidr", "subnetCidr", "redisImage", "keyPair", "postgresPassword", "voterKey"}, 8,
		},
	} {
		t.Run(name, func(t *testing.T) {
			values := test.base()
			if values == nil {
				values = map[string]string{}
			}
			for key, value := range test.set {
				values[key] = value
				if value == "-" {
					delete(values, key)
				}
			}
			_, err := load(values, test.plain...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q:\n%v", part, err)
				}
			}
			faults := strings.Count(err.Error(), "\n") + 1
			if want := max(test.count, 1); faults != want {
				t.Errorf("%d faults, want %d:\n%v", faults, want, err)
			}
			var fault settings.Fault
			if !errors.As(err, &fault) || fault.Key == "" || fault.Problem == "" || fault.Remedy == "" {
				t.Errorf("the first fault lacks a part: %+v", fault)
			}
			if secret := values["postgresPassword"]; secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("aws", "2", "1", "203.0.113.7/32", "192.168.33.0/24", "Cats", "redis:7", "[]", "a b c d e f g h")
	f.Add("hosts", "1", "1", "", "", "", "", onHosts()["hosts"], "correct horse battery")
	f.Add("hosts", "-1", "1e9", "::/0", "0.0.0.0/0", "\xff", "\x00", `[{"name":"store","port":-1}]`, "\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd")
	f.Fuzz(func(t *testing.T, platform, frontends, workers, operator, subnet, option, image, hosts, password string) {
		values := onAWS()
		for key, value := range map[string]string{
			"platform": platform, "frontends": frontends, "workers": workers, "operatorCidr": operator, "subnetCidr": subnet,
			"optionA": option, "redisImage": image, "hosts": hosts, "postgresPassword": password,
		} {
			values[key] = value
		}
		s, err := load(values)
		if err != nil {
			return
		}
		// Whatever is accepted has to be usable: as many nodes as asked for, each with an address and a name of its own.
		if of := count(s); of[topology.Manager] != 1 || of[topology.Frontend] < 1 || of[topology.Worker] < 1 {
			t.Errorf("for %q frontends and %q workers the nodes are %v", frontends, workers, s.Nodes)
		}
		seen := map[string]bool{}
		for _, node := range s.Nodes {
			if !node.Address.Is4() || seen[node.Name] || seen[node.Address.String()] {
				t.Errorf("node %+v is not usable in %v", node, s.Nodes)
			}
			seen[node.Name], seen[node.Address.String()] = true, true
		}
		if s.Platform == settings.Hosts && len(s.Hosts) != len(s.Nodes) {
			t.Errorf("%d hosts for %d nodes", len(s.Hosts), len(s.Nodes))
		}
	})
}
