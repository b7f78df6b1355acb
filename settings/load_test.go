package settings_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// hostKey is the public half of a key pair made for this test.
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuyBIm7eNAyRfwLSNeFczlzv95kfT+lCFwmMnTNCaBn"

// rsaHostKey is a public key of 1024 bits made for this test.
const rsaHostKey = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC35o6Rs0b8GyrYM9JcPQZSCPI38/6YwFcceGCkI5hImfnLCGWYfuGHz5xhbMDNVFoq4l9hyK/n5NYU6Od0FztmZ3Wuz8Khu93W5gdgJbkxBt9UIolX0tUIV5JaRbJ5qP6ITiJjQFJVl38E/6XbQyu5L0jjmqClhkitiQzVfIyAow=="

var voterKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// testKey is the same key pair in every run.
var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func privateKey(block *pem.Block, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// changedKey returns the test's key in OpenSSH's format, changed.
func changedKey(change func(key string) string) ([]byte, error) {
	key, err := privateKey(ssh.MarshalPrivateKey(testKey, ""))
	return []byte(change(string(key))), err
}

// pemKey returns a key as PKCS #8, made for this run.
func pemKey(key any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	return privateKey(&pem.Block{Type: "PRIVATE KEY", Bytes: text}, err)
}

// pasted returns the text of a private key where something else is due.
func pasted(t *testing.T) string {
	t.Helper()
	key, err := privateKey(ssh.MarshalPrivateKey(testKey, ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// hostCertificate returns a certificate of the test's key by the same key.
func hostCertificate(t *testing.T) string {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"manager"}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(certificate)))
}

// TestFaultsHideSecrets holds that no fault shows what somebody has encrypted or a private key, whatever setting it got into.
func TestFaultsHideSecrets(t *testing.T) {
	for _, base := range []func() map[string]string{onAWS, onHosts} {
		for _, key := range settings.Keys() {
			for _, secret := range []string{pasted(t), "/hunter2 hunter2"} {
				values := broken(base(), map[string]string{key: secret})
				_, err := settings.Load(settings.Source{
					Value:    func(key string) (string, bool) { value, ok := values[key]; return value, ok },
					IsSecret: func(one string) bool { return one == key },
					ReadFile: func(path string) ([]byte, error) { return nil, fmt.Errorf("open %s: no such file", path) },
				})
				if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "b3BlbnNzaC1r")) {
					t.Errorf("%s: %v", key, err)
				}
			}
		}
	}
}

// onAWS returns the settings that a stack on AWS cannot do without.
func onAWS() map[string]string {
	return map[string]string{
		"keyPair": "poll", "operatorCidr": "203.0.113.7/32",
		"postgresPassword": "correct horse battery", "voterKey": voterKey,
	}
}

// onHosts returns the settings of a stack on five existing machines.
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

// inZones returns the settings of a stack on existing machines in that many zones. Those of a role are spread in turn, except for the moved ones.
func inZones(t *testing.T, zones int, moved map[string]int) func() map[string]string {
	t.Helper()
	counts := topology.Counts{topology.LoadBalancer: 2, topology.Frontend: 3, topology.Worker: 2}
	var hosts []map[string]any
	for i, node := range topology.Names(counts, zones) {
		one := map[string]any{"name": node.Name, "address": fmt.Sprintf("10.0.0.%d", i+1), "hostKey": hostKey}
		if node.Zone > 1 {
			one["zone"] = node.Zone
		}
		if zone, ok := moved[node.Name]; ok {
			one["zone"] = zone
		}
		hosts = append(hosts, one)
	}
	list, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	return func() map[string]string {
		return map[string]string{
			"platform": "hosts", "zones": fmt.Sprint(zones), "frontends": "3", "loadBalancers": "2", "workers": "2", "hosts": string(list),
			"postgresPassword": "correct horse battery", "voterKey": voterKey,
		}
	}
}

func host(name, address string) string {
	return fmt.Sprintf(`{"name":%q,"address":%q,"hostKey":%q}`, name, address, hostKey)
}

// load loads these values. The secrets are encrypted, except the plain ones.
func load(values map[string]string, plain ...string) (settings.Settings, error) {
	return settings.Load(settings.Source{
		Value: func(key string) (string, bool) { value, ok := values[key]; return value, ok },
		IsSecret: func(key string) bool {
			return slices.Contains([]string{"postgresPassword", "postgresUrl", "voterKey"}, key) && !slices.Contains(plain, key)
		},
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "/keys/locked":
				return privateKey(ssh.MarshalPrivateKeyWithPassphrase(testKey, "", []byte("a passphrase")))
			case "/keys/pem-locked":
				return []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCk=\n-----END ENCRYPTED PRIVATE KEY-----\n"), nil
			case filepath.Join(os.Getenv("HOME"), "key"):
				return privateKey(ssh.MarshalPrivateKey(testKey, ""))
			case "/keys/text":
				return []byte("not a key\n"), nil
			case "/keys/good", "/keys/open", "/keys/of-group":
				return privateKey(ssh.MarshalPrivateKey(testKey, ""))
			case "/keys/windows":
				return changedKey(func(key string) string { return strings.ReplaceAll(key, "\n", "\r\n") })
			case "/keys/unended":
				return changedKey(func(key string) string { return strings.TrimSuffix(key, "\n") })
			case "/keys/commented":
				return changedKey(func(key string) string { return "# mine\n" + key })
			case "/keys/pem-rsa":
				return pemKey(rsa.GenerateKey(rand.Reader, 2048))
			case "/keys/pem-ecdsa":
				return pemKey(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
			case "/keys/pem-ed25519":
				return pemKey(testKey, nil)
			case "/keys/pem-exchange":
				return pemKey(ecdh.X25519().GenerateKey(rand.Reader))
			case "/keys/pem-windows":
				text, err := pemKey(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
				return []byte(strings.TrimSuffix(strings.ReplaceAll(string(text), "\n", "\r\n"), "\r\n")), err
			}
			return nil, fs.ErrNotExist
		},
		Mode: func(path string) (fs.FileMode, error) {
			switch path {
			case "/keys/open":
				return 0o644, nil
			case "/keys/of-group":
				return 0o640, nil
			}
			return 0o600, nil
		},
	})
}

func TestDefaultsAreTheWalkThrough(t *testing.T) {
	s, err := load(onAWS())
	if err != nil {
		t.Fatal(err)
	}
	if s.Platform != settings.AWS || s.Architecture != "amd64" || s.AWS.Region != "us-west-1" ||
		s.AWS.VPC.String() != "192.168.0.0/16" || s.AWS.Subnets[0].String() != "192.168.33.0/24" ||
		s.AWS.InstanceTypes[topology.Store] != "m3.medium" || s.AWS.InstanceTypes[topology.Frontend] != "t2.micro" ||
		s.LoadBalancer != settings.HAProxy || s.Ballot != (settings.Ballot{OptionA: "Cats", OptionB: "Dogs"}) ||
		s.AppendFsync != "always" || s.SSH.User != "ubuntu" || s.SSH.PrivateKeyFile != "" || len(s.Hosts) != 0 {
		t.Errorf("unexpected defaults: %+v", s)
	}
	if of := count(s); of[topology.Frontend] != 2 || of[topology.Worker] != 1 || len(s.Nodes) != 6 || s.Nodes[5].Address.String() != "192.168.33.250" {
		t.Errorf("unexpected nodes: %v", s.Nodes)
	}
}

// TestOverlayIsFixedIfSet holds the range of a new network, and that the settings tell whether somebody has set it.
func TestOverlayIsFixedIfSet(t *testing.T) {
	for _, test := range []struct {
		set  string
		want string
	}{{"", "{10.77.0.0/22 false}"}, {" ", "{10.77.0.0/22 false}"}, {"10.77.0.0/22", "{10.77.0.0/22 true}"}, {"100.64.8.0/24", "{100.64.8.0/24 true}"}} {
		values := onAWS()
		values["overlayCidr"] = test.set
		s, err := load(values)
		if got := fmt.Sprint(s.Overlay); err != nil || got != test.want {
			t.Errorf("%q: %s (%v), want %s", test.set, got, err, test.want)
		}
	}
}

// TestClusters holds what follows from the kind of cluster.
func TestClusters(t *testing.T) {
	for _, test := range []struct {
		set  map[string]string
		want string
	}{
		{nil, "swarm-mode 3 10.77.4.0/22"},
		{map[string]string{"cluster": "swarm-mode"}, "swarm-mode 3 10.77.4.0/22"},
		{map[string]string{"cluster": "swarm-mode", "managers": "1", "swarmCidr": "172.16.0.0/16"}, "swarm-mode 1 172.16.0.0/16"},
		{map[string]string{"cluster": "swarm-mode", "managers": " 3 "}, "swarm-mode 3 10.77.4.0/22"},
		{map[string]string{"managers": "5"}, "swarm-mode 5 10.77.4.0/22"},
		{map[string]string{"managers": "5", "stores": "2"}, "swarm-mode 5 10.77.4.0/22"},
		{map[string]string{"cluster": "swarm-mode", "overlayCidr": "10.0.0.0/8"}, "swarm-mode 3 100.77.4.0/22"},
		{map[string]string{"cluster": "swarm-mode", "vpcCidr": "100.77.0.0/16", "subnetCidr": "100.77.4.0/24", "overlayCidr": "10.77.4.0/22"}, "swarm-mode 3 198.18.4.0/22"},
		{map[string]string{"cluster": "standalone", "overlayCidr": "10.77.4.0/22"}, "standalone 1 invalid Prefix"},
		{map[string]string{"cluster": "standalone", "managers": "1", "loadBalancer": "interlock", "allowInterlock": "true"}, "standalone 1 invalid Prefix"},
		{map[string]string{"cluster": "standalone", "managers": "3"}, "standalone 3 invalid Prefix"},
		{map[string]string{"cluster": "standalone", "stores": "2"}, "standalone 1 invalid Prefix"},
		{map[string]string{"cluster": "standalone", "managers": "3", "stores": "3"}, "standalone 3 invalid Prefix"},
	} {
		values := onAWS()
		maps.Copy(values, test.set)
		s, err := load(values)
		if got := fmt.Sprintf("%s %d %s", s.Cluster, len(s.Managers), s.SwarmPool); err != nil || got != test.want {
			t.Errorf("%v: %s (%v), want %s", test.set, got, err, test.want)
		}
	}
}

// TestZones holds the nodes' zones and addresses, the subnets, and who manages the cluster.
func TestZones(t *testing.T) {
	machines := inZones(t, 3, map[string]int{"manager": 2, "store": 3})
	for name, test := range map[string]struct {
		base func() map[string]string
		set  map[string]string
		want string
	}{
		"one": {onAWS, nil, "[] [192.168.33.0/24] manager, worker01, store: manager 1 192.168.33.11, interlock 1 192.168.33.12, " +
			"frontend01 1 192.168.33.20, frontend02 1 192.168.33.21, worker01 1 192.168.33.200, store 1 192.168.33.250"},
		"three": {onAWS, map[string]string{"zones": "3", "frontends": "3", "loadBalancers": "2", "workers": "2"},
			"[] [192.168.33.0/24 192.168.34.0/24 192.168.35.0/24] manager, frontend02, frontend03: " +
				"manager 1 192.168.33.11, interlock 1 192.168.33.12, interlock02 2 192.168.34.17, " +
				"frontend01 1 192.168.33.20, frontend02 2 192.168.34.21, frontend03 3 192.168.35.22, worker01 1 192.168.33.200, worker02 2 192.168.34.201, store 1 192.168.33.250"},
		"one with the walk-through's three managers": {onAWS, map[string]string{"cluster": "standalone", "managers": "3"},
			"[] [192.168.33.0/24] manager, manager02, manager03: manager 1 192.168.33.11, manager02 1 192.168.33.13, manager03 1 192.168.33.14, interlock 1 192.168.33.12, " +
				"frontend01 1 192.168.33.20, frontend02 1 192.168.33.21, worker01 1 192.168.33.200, store 1 192.168.33.250"},
		"three by name, at the VPC's end": {onAWS, map[string]string{"zones": "3", "frontends": "3", "vpcCidr": "10.0.0.0/22", "subnetCidr": "10.0.1.0/24", "region": "us-west-2",
			"availabilityZone": "us-west-2d us-west-2b, us-west-2a"},
			"[us-west-2d us-west-2b us-west-2a] [10.0.1.0/24 10.0.2.0/24 10.0.3.0/24] manager, frontend02, frontend03: manager 1 10.0.1.11, interlock 1 10.0.1.12, " +
				"frontend01 1 10.0.1.20, frontend02 2 10.0.2.21, frontend03 3 10.0.3.22, worker01 1 10.0.1.200, store 1 10.0.1.250"},
		"three with five managers": {onAWS, map[string]string{"zones": "3", "frontends": "5", "managers": "5"},
			"[] [192.168.33.0/24 192.168.34.0/24 192.168.35.0/24] manager, frontend02, frontend03, worker01, frontend05: " +
				"manager 1 192.168.33.11, interlock 1 192.168.33.12, frontend01 1 192.168.33.20, frontend02 2 192.168.34.21, frontend03 3 192.168.35.22, " +
				"frontend04 1 192.168.33.23, frontend05 2 192.168.34.24, worker01 1 192.168.33.200, store 1 192.168.33.250"},
		"machines with five managers": {machines, map[string]string{"managers": "5"}, "[] [] manager, worker01, store, frontend01, frontend02: manager 2 10.0.0.1, " +
			"interlock 1 10.0.0.2, interlock02 2 10.0.0.3, frontend01 1 10.0.0.4, frontend02 2 10.0.0.5, frontend03 3 10.0.0.6, worker01 1 10.0.0.7, worker02 2 10.0.0.8, store 3 10.0.0.9"},
		"machines": {machines, nil, "[] [] manager, worker01, store: manager 2 10.0.0.1, interlock 1 10.0.0.2, interlock02 2 10.0.0.3, " +
			"frontend01 1 10.0.0.4, frontend02 2 10.0.0.5, frontend03 3 10.0.0.6, worker01 1 10.0.0.7, worker02 2 10.0.0.8, store 3 10.0.0.9"},
	} {
		s, err := load(broken(test.base(), test.set))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var nodes, managers []string
		for _, node := range s.Nodes {
			nodes = append(nodes, fmt.Sprintf("%s %d %s", node.Name, node.Zone, node.Address))
		}
		for _, node := range s.Managers {
			managers = append(managers, node.Name)
		}
		got := fmt.Sprintf("%v %v %s: %s", s.AWS.AvailabilityZones, s.AWS.Subnets, strings.Join(managers, ", "), strings.Join(nodes, ", "))
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestWayIn(t *testing.T) {
	values := onAWS()
	values["voteNames"], values["trustedProxies"] = " Vote.Example.ORG., vote2.example.org\nWählt.example.org", "10.1.2.3/8,192.0.2.7\t2001:db8::1"
	s, err := load(values)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.VoteNames, s.TrustedProxies); got != "[vote.example.org vote2.example.org xn--whlt-loa.example.org] [10.0.0.0/8 192.0.2.7/32 2001:db8::1/128]" {
		t.Errorf("names and proxies are %s", got)
	}
	if s.Limits != (settings.Limits{Connections: 1000, Votes: 1200, NewVoters: 600, Viewers: 500}) || s.LogAddresses {
		t.Errorf("the limits are %+v, addresses in the log %v", s.Limits, s.LogAddresses)
	}
}

// count returns the number of nodes of each role.
func count(s settings.Settings) map[topology.Role]int {
	of := map[topology.Role]int{}
	for _, node := range s.Nodes {
		of[node.Role]++
	}
	return of
}

// TestInstanceTypesTellTheArchitecture holds that the architecture follows from the instance types, and on hosts from the
// setting.
func TestInstanceTypesTellTheArchitecture(t *testing.T) {
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

func TestHostsAreInTheOrderOfTheNodes(t *testing.T) {
	values := onHosts()
	values["hosts"] = strings.Replace(values["hosts"], `"name":"store","address":"10.0.0.5"`,
		`"name":"store","address":"store.example.org","privateAddress":"10.9.9.9","port":2222,"user":"admin"`, 1)
	values["hosts"] = "[" + host("frontend02", "10.0.0.77") + "," + values["hosts"][1:] // a spare, and in another order
	s, err := load(values)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Hosts) != 5 || len(s.Nodes) != 5 {
		t.Fatalf("got %d hosts and %d nodes, want 5 of each, without the spare machine", len(s.Hosts), len(s.Nodes))
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

func TestSecretsAreNotFormatted(t *testing.T) {
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
		t.Errorf("the formatted settings show a secret: %s", shown)
	}
}

// TestKeysThatSSHReadsAreAccepted holds that what ssh reads is no fault: it is not strict about PEM. The real ssh-keygen reads the keys, too.
func TestKeysThatSSHReadsAreAccepted(t *testing.T) {
	for _, path := range []string{"/keys/good", "~/key", "/keys/pem-rsa", "/keys/pem-ecdsa", "/keys/pem-windows"} {
		s, err := load(broken(onAWS(), map[string]string{"sshPrivateKeyFile": path}))
		if err != nil || s.SSH.PrivateKey == "" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := exec.LookPath("ssh-keygen"); err != nil {
			t.Skip("ssh-keygen is not installed: it reads the keys, too")
		}
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(s.SSH.PrivateKey.Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.CommandContext(t.Context(), "ssh-keygen", "-y", "-P", "", "-f", file).CombinedOutput(); err != nil {
			t.Errorf("ssh-keygen does not read %s: %v: %s", path, err, output)
		}
	}
}

// TestLockedKeyNeedsTheAgent holds that a key with a passphrase, in either format, is told from a file that is no key.
func TestLockedKeyNeedsTheAgent(t *testing.T) {
	for path, locked := range map[string]bool{"/keys/locked": true, "/keys/pem-locked": true, "/keys/text": false} {
		_, err := load(broken(onAWS(), map[string]string{"sshPrivateKeyFile": path}))
		if err == nil || strings.Contains(err.Error(), "ssh-add") != locked {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestMistakesAreReported holds the key and the kind of the fault for each mistake that people make.
func TestMistakesAreReported(t *testing.T) {
	for name, test := range map[string]struct {
		base  func() map[string]string
		set   map[string]string // "-" takes a key away
		plain []string          // keys that are not encrypted
		key   string
		kind  settings.Kind
	}{
		"unknown platform":                            {onAWS, map[string]string{"platform": "azure"}, nil, "platform", settings.Unknown},
		"no frontend":                                 {onAWS, map[string]string{"frontends": "0"}, nil, "frontends", settings.OutOfRange},
		"too many frontends":                          {onAWS, map[string]string{"frontends": "181"}, nil, "frontends", settings.OutOfRange},
		"frontends in words":                          {onAWS, map[string]string{"frontends": "two"}, nil, "frontends", settings.OutOfRange},
		"too many workers":                            {onAWS, map[string]string{"workers": "51"}, nil, "workers", settings.OutOfRange},
		"no load balancer":                            {onAWS, map[string]string{"loadBalancers": "0"}, nil, "loadBalancers", settings.OutOfRange},
		"too many load balancers":                     {onAWS, map[string]string{"loadBalancers": "5"}, nil, "loadBalancers", settings.OutOfRange},
		"no store":                                    {onAWS, map[string]string{"stores": "0"}, nil, "stores", settings.OutOfRange},
		"too many stores":                             {onAWS, map[string]string{"stores": "4"}, nil, "stores", settings.OutOfRange},
		"two stores and one manager":                  {onAWS, map[string]string{"stores": "2", "managers": "1"}, nil, "stores", settings.Conflict},
		"two stores of Alpine":                        {onAWS, map[string]string{"stores": "2", "postgresImage": "postgres:17-alpine"}, nil, "postgresImage", settings.Conflict},
		"three copies":                                {onAWS, map[string]string{"voteCopies": "3", "frontends": "5"}, nil, "voteCopies", settings.OutOfRange},
		"two copies on two frontends":                 {onAWS, map[string]string{"voteCopies": "2"}, nil, "voteCopies", settings.Conflict},
		"two zones":                                   {onAWS, map[string]string{"zones": "2", "frontends": "3"}, nil, "zones", settings.OutOfRange},
		"four zones":                                  {onAWS, map[string]string{"zones": "4", "frontends": "4"}, nil, "zones", settings.OutOfRange},
		"zones in words":                              {onAWS, map[string]string{"zones": "three"}, nil, "zones", settings.OutOfRange},
		"zones of the walk-through's cluster":         {onAWS, map[string]string{"zones": "3", "frontends": "3", "cluster": "standalone"}, nil, "zones", settings.Conflict},
		"a zone without a frontend":                   {onAWS, map[string]string{"zones": "3"}, nil, "zones", settings.Conflict},
		"zones with one manager":                      {onAWS, map[string]string{"zones": "3", "frontends": "3", "managers": "1"}, nil, "managers", settings.Conflict},
		"five managers of four nodes":                 {onAWS, map[string]string{"frontends": "1", "workers": "9", "managers": "5"}, nil, "managers", settings.Conflict},
		"five managers and a zone with one node":      {onAWS, map[string]string{"zones": "3", "frontends": "4", "managers": "5"}, nil, "managers", settings.Conflict},
		"five managers and machines in one zone":      {inZones(t, 3, map[string]int{}), map[string]string{"managers": "5"}, nil, "managers", settings.Conflict},
		"names of two zones of three":                 {onAWS, map[string]string{"zones": "3", "frontends": "3", "availabilityZone": "us-west-1a us-west-1b"}, nil, "availabilityZone", settings.Conflict},
		"names of three zones for one":                {onAWS, map[string]string{"availabilityZone": "us-west-1a us-west-1b us-west-1c"}, nil, "availabilityZone", settings.Conflict},
		"no room for the third zone":                  {onAWS, map[string]string{"zones": "3", "frontends": "3", "subnetCidr": "192.168.254.0/24"}, nil, "subnetCidr", settings.Conflict},
		"no room for a second /16":                    {onAWS, map[string]string{"zones": "3", "frontends": "3", "subnetCidr": "192.168.0.0/16"}, nil, "subnetCidr", settings.Conflict},
		"machine in a zone of none":                   {inZones(t, 1, map[string]int{"store": 2}), nil, nil, "hosts[8].zone", settings.OutOfRange},
		"machine in a fourth zone":                    {inZones(t, 3, map[string]int{"store": 4}), nil, nil, "hosts[8].zone", settings.OutOfRange},
		"machine in a zone below the first":           {inZones(t, 3, map[string]int{"store": -1}), nil, nil, "hosts[8].zone", settings.OutOfRange},
		"no machine for frontends in a zone":          {inZones(t, 3, map[string]int{"frontend03": 2}), nil, nil, "zones", settings.Conflict},
		"load balancers in one zone":                  {inZones(t, 3, map[string]int{"interlock02": 1}), nil, nil, "hosts", settings.Conflict},
		"workers in one zone":                         {inZones(t, 3, map[string]int{"worker01": 3, "worker02": 3}), nil, nil, "hosts", settings.Conflict},
		"no key pair":                                 {onAWS, map[string]string{"keyPair": "-"}, nil, "keyPair", settings.Missing},
		"no operator range":                           {onAWS, map[string]string{"operatorCidr": "-"}, nil, "operatorCidr", settings.Missing},
		"SSH open to the world":                       {onAWS, map[string]string{"operatorCidr": "0.0.0.0/0"}, nil, "operatorCidr", settings.Insecure},
		"SSH open to half the world":                  {onAWS, map[string]string{"operatorCidr": "0.0.0.0/1"}, nil, "operatorCidr", settings.Insecure},
		"SSH open to a large provider":                {onAWS, map[string]string{"operatorCidr": "198.0.0.0/15"}, nil, "operatorCidr", settings.Insecure},
		"operator range of IPv6":                      {onAWS, map[string]string{"operatorCidr": "2001:db8::/32"}, nil, "operatorCidr", settings.Malformed},
		"every IPv6 address as operator":              {onAWS, map[string]string{"operatorCidr": "::/0"}, nil, "operatorCidr", settings.Malformed},
		"IPv4 in IPv6 as operator":                    {onAWS, map[string]string{"operatorCidr": "::ffff:0.0.0.0/97"}, nil, "operatorCidr", settings.Malformed},
		"two operator ranges":                         {onAWS, map[string]string{"operatorCidr": "0.0.0.0/1,128.0.0.0/1"}, nil, "operatorCidr", settings.Malformed},
		"a list of operator ranges":                   {onAWS, map[string]string{"operatorCidr": `["203.0.113.7/32"]`}, nil, "operatorCidr", settings.Malformed},
		"operator range without a length":             {onAWS, map[string]string{"operatorCidr": "203.0.113.7"}, nil, "operatorCidr", settings.Malformed},
		"operator range with host bits":               {onAWS, map[string]string{"operatorCidr": "203.0.113.7/24"}, nil, "operatorCidr", settings.Malformed},
		"operator range of a home network":            {onAWS, map[string]string{"operatorCidr": "192.168.1.20/32"}, nil, "operatorCidr", settings.Unknown},
		"operator range of a VPN":                     {onAWS, map[string]string{"operatorCidr": "100.64.0.0/10"}, nil, "operatorCidr", settings.Unknown},
		"operator range of the machine itself":        {onAWS, map[string]string{"operatorCidr": "127.0.0.1/32"}, nil, "operatorCidr", settings.Unknown},
		"operator range of no address":                {onAWS, map[string]string{"operatorCidr": "0.0.0.0/32"}, nil, "operatorCidr", settings.Unknown},
		"operator range of a company's private range": {onAWS, map[string]string{"operatorCidr": "10.0.0.0/8"}, nil, "operatorCidr", settings.Unknown},
		"operator range of link-local addresses":      {onAWS, map[string]string{"operatorCidr": "169.254.7.0/24"}, nil, "operatorCidr", settings.Unknown},
		"operator range of multicast":                 {onAWS, map[string]string{"operatorCidr": "224.0.0.0/4"}, nil, "operatorCidr", settings.Unknown},
		"a boolean in words":                          {onAWS, map[string]string{"allowSshFromAnywhere": "perhaps"}, nil, "allowSshFromAnywhere", settings.Unknown},
		"region that is a zone":                       {onAWS, map[string]string{"region": "us-west-1b"}, nil, "region", settings.Malformed},
		"region in capitals":                          {onAWS, map[string]string{"region": "US-WEST-1"}, nil, "region", settings.Malformed},
		"region that is a local zone":                 {onAWS, map[string]string{"region": "us-west-2-lax-1a"}, nil, "region", settings.Malformed},
		"region without a number":                     {onAWS, map[string]string{"region": "us-west"}, nil, "region", settings.Malformed},
		"zone of a region with a longer number":       {onAWS, map[string]string{"availabilityZone": "us-west-12a"}, nil, "availabilityZone", settings.Conflict},
		"zone of a mobile network":                    {onAWS, map[string]string{"region": "us-east-1", "availabilityZone": "us-east-1-wl1-bos-wlz-1"}, nil, "availabilityZone", settings.Malformed},
		"zone in capitals":                            {onAWS, map[string]string{"availabilityZone": "us-west-1B"}, nil, "availabilityZone", settings.Malformed},
		"zone of another region":                      {onAWS, map[string]string{"availabilityZone": "eu-west-1a"}, nil, "availabilityZone", settings.Conflict},
		"VPC range that is none":                      {onAWS, map[string]string{"vpcCidr": "192.168.0.0"}, nil, "vpcCidr", settings.Malformed},
		"VPC range too large":                         {onAWS, map[string]string{"vpcCidr": "192.0.0.0/8"}, nil, "vpcCidr", settings.OutOfRange},
		"VPC range of the machine itself":             {onAWS, map[string]string{"vpcCidr": "127.0.0.0/16", "subnetCidr": "127.0.33.0/24"}, nil, "vpcCidr", settings.Conflict},
		"VPC range of multicast":                      {onAWS, map[string]string{"vpcCidr": "224.0.0.0/16", "subnetCidr": "224.0.33.0/24"}, nil, "vpcCidr", settings.Conflict},
		"VPC range of this network":                   {onAWS, map[string]string{"vpcCidr": "0.0.0.0/16", "subnetCidr": "0.0.33.0/24"}, nil, "vpcCidr", settings.Conflict},
		"subnet outside the VPC":                      {onAWS, map[string]string{"subnetCidr": "10.0.0.0/24"}, nil, "subnetCidr", settings.Conflict},
		"subnet too small for the plan":               {onAWS, map[string]string{"subnetCidr": "192.168.33.0/25"}, nil, "subnetCidr", settings.Conflict},
		"subnet with host bits":                       {onAWS, map[string]string{"subnetCidr": "192.168.33.5/24"}, nil, "subnetCidr", settings.Malformed},
		"instance type that is none":                  {onAWS, map[string]string{"storeInstanceType": "large"}, nil, "storeInstanceType", settings.Malformed},
		"AMI that is none":                            {onAWS, map[string]string{"ami": "ubuntu-22.04"}, nil, "ami", settings.Malformed},
		"architecture of another instance type":       {onAWS, map[string]string{"architecture": "arm64"}, nil, "architecture", settings.Conflict},
		"instance types of two architectures":         {onAWS, map[string]string{"workerInstanceType": "t4g.micro"}, nil, "workerInstanceType", settings.Conflict},
		"architecture by its other name":              {onHosts, map[string]string{"architecture": "x86_64"}, nil, "architecture", settings.Unknown},
		"disk too small":                              {onAWS, map[string]string{"diskSize": "4"}, nil, "diskSize", settings.OutOfRange},
		"SSH user that is none":                       {onAWS, map[string]string{"sshUser": "Jane Doe"}, nil, "sshUser", settings.Malformed},
		"SSH user that ssh takes for an option":       {onAWS, map[string]string{"sshUser": "-oProxyCommand=reboot"}, nil, "sshUser", settings.Malformed},
		"SSH user with a shell's characters":          {onAWS, map[string]string{"sshUser": "jane;reboot"}, nil, "sshUser", settings.Malformed},
		"SSH user with a variable":                    {onAWS, map[string]string{"sshUser": "$HOME"}, nil, "sshUser", settings.Malformed},
		"SSH user with a host":                        {onAWS, map[string]string{"sshUser": "jane@"}, nil, "sshUser", settings.Malformed},
		"SSH user that is too long":                   {onAWS, map[string]string{"sshUser": strings.Repeat("a", 257)}, nil, "sshUser", settings.Malformed},
		"key file that is not there":                  {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/none"}, nil, "sshPrivateKeyFile", settings.Unknown},
		"key file that is no key":                     {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/text"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file of Windows":                         {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/windows"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file without a last line end":            {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/unended"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file with a comment":                     {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/commented"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file that new OpenSSH alone reads":       {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/pem-ed25519"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file for an exchange":                    {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/pem-exchange"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file that everybody reads":               {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/open"}, nil, "sshPrivateKeyFile", settings.Insecure},
		"key file that a group reads":                 {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/of-group"}, nil, "sshPrivateKeyFile", settings.Insecure},
		"an RSA host key":                             {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, rsaHostKey, 1)}, nil, "hosts[0].hostKey", settings.Unknown},
		"a private key as host key":                   {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, strings.ReplaceAll(pasted(t), "\n", "\\n"), 1)}, nil, "hosts[0].hostKey", settings.Insecure},
		"a revoked host key":                          {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, "@revoked "+hostKey, 1)}, nil, "hosts[0].hostKey", settings.Unknown},
		"an authority's key as host key":              {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, "@cert-authority "+hostKey, 1)}, nil, "hosts[0].hostKey", settings.Unknown},
		"a certificate as host key":                   {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, hostCertificate(t), 1)}, nil, "hosts[0].hostKey", settings.Unknown},
		"a private key as the key's file":             {onAWS, map[string]string{"sshPrivateKeyFile": pasted(t)}, nil, "sshPrivateKeyFile", settings.Insecure},
		"key file with a passphrase":                  {onAWS, map[string]string{"sshPrivateKeyFile": "/keys/locked"}, nil, "sshPrivateKeyFile", settings.Malformed},
		"key file of a home that is another one":      {onAWS, map[string]string{"sshPrivateKeyFile": "~jane/key"}, nil, "sshPrivateKeyFile", settings.Unknown},
		"Interlock on machines that it does not know": {onHosts, map[string]string{"cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true", "architecture": "arm64"}, nil, "loadBalancer", settings.Conflict},
		"unknown load balancer":                       {onAWS, map[string]string{"loadBalancer": "nginx"}, nil, "loadBalancer", settings.Unknown},
		"the walk-through's load balancer":            {onAWS, map[string]string{"loadBalancer": "interlock"}, nil, "loadBalancer", settings.Insecure},
		"one option twice":                            {onAWS, map[string]string{"optionA": "Cats", "optionB": "cats"}, nil, "optionB", settings.Malformed},
		"an essay on the ballot":                      {onAWS, map[string]string{"optionA": strings.Repeat("cat ", 20)}, nil, "optionA", settings.Malformed},
		"a line break on the ballot":                  {onAWS, map[string]string{"optionA": "Cats\nand dogs"}, nil, "optionA", settings.Malformed},
		"a name with a scheme":                        {onAWS, map[string]string{"voteNames": "https://vote.example.org"}, nil, "voteNames", settings.Malformed},
		"a name with a port":                          {onAWS, map[string]string{"voteNames": "vote.example.org:80"}, nil, "voteNames", settings.Malformed},
		"a results name with a scheme":                {onAWS, map[string]string{"resultsNames": "https://results.example.org"}, nil, "resultsNames", settings.Malformed},
		"a name for both pages":                       {onAWS, map[string]string{"voteNames": "x.example.org", "resultsNames": "X.example.org."}, nil, "resultsNames", settings.Conflict},
		"the vote page's name for the results":        {onAWS, map[string]string{"resultsNames": "votingapp.local"}, nil, "resultsNames", settings.Conflict},
		"the results' name for the vote page":         {onAWS, map[string]string{"voteNames": "results.votingapp.local"}, nil, "voteNames", settings.Conflict},
		"an address as a name":                        {onAWS, map[string]string{"voteNames": "192.0.2.7"}, nil, "voteNames", settings.Malformed},
		"a name that would be configuration":          {onAWS, map[string]string{"voteNames": "vote\"quoted"}, nil, "voteNames", settings.Malformed},
		"a proxy by name":                             {onAWS, map[string]string{"trustedProxies": "proxy.example.org"}, nil, "trustedProxies", settings.Malformed},
		"everybody a proxy":                           {onAWS, map[string]string{"trustedProxies": "::/0"}, nil, "trustedProxies", settings.Insecure},
		"half of everybody a proxy":                   {onAWS, map[string]string{"trustedProxies": "0.0.0.0/1"}, nil, "trustedProxies", settings.Insecure},
		"half of IPv6 a proxy":                        {onAWS, map[string]string{"trustedProxies": "8000::/1"}, nil, "trustedProxies", settings.Insecure},
		"all of IPv4 in IPv6 a proxy":                 {onAWS, map[string]string{"trustedProxies": "::ffff:0.0.0.0/96"}, nil, "trustedProxies", settings.Malformed},
		"a proxy's IPv4 in IPv6":                      {onAWS, map[string]string{"trustedProxies": "::ffff:10.0.0.7"}, nil, "trustedProxies", settings.Malformed},
		"no connection":                               {onAWS, map[string]string{"connectionsPerAddress": "0"}, nil, "connectionsPerAddress", settings.OutOfRange},
		"no vote":                                     {onAWS, map[string]string{"votesPerAddress": "0"}, nil, "votesPerAddress", settings.OutOfRange},
		"new voters without end":                      {onAWS, map[string]string{"newVotersPerAddress": "unlimited"}, nil, "newVotersPerAddress", settings.OutOfRange},
		"half a viewer":                               {onAWS, map[string]string{"viewersPerAddress": "0.5"}, nil, "viewersPerAddress", settings.OutOfRange},
		"addresses in the log, perhaps":               {onAWS, map[string]string{"logAddresses": "perhaps"}, nil, "logAddresses", settings.Unknown},
		"unknown appendfsync":                         {onAWS, map[string]string{"redisAppendfsync": "no"}, nil, "redisAppendfsync", settings.Unknown},
		"no password":                                 {onAWS, map[string]string{"postgresPassword": "-"}, nil, "postgresPassword", settings.Missing},
		"a short password":                            {onAWS, map[string]string{"postgresPassword": "hunter2"}, nil, "postgresPassword", settings.OutOfRange},
		"the walk-through's password":                 {onAWS, map[string]string{"postgresPassword": "pg8675309"}, nil, "postgresPassword", settings.Insecure},
		"a password of two lines":                     {onAWS, map[string]string{"postgresPassword": "correct horse\nbattery"}, nil, "postgresPassword", settings.Malformed},
		"a password in plain text":                    {onAWS, nil, []string{"postgresPassword"}, "postgresPassword", settings.Insecure},
		"a voter key that is no base64":               {onAWS, map[string]string{"voterKey": "my key"}, nil, "voterKey", settings.Malformed},
		"a voter key of zeros":                        {onAWS, map[string]string{"voterKey": base64.StdEncoding.EncodeToString(make([]byte, 32))}, nil, "voterKey", settings.Insecure},
		"an image without a version":                  {onAWS, map[string]string{"redisImage": "redis"}, nil, "redisImage", settings.Malformed},
		"an image at latest":                          {onAWS, map[string]string{"postgresImage": "postgres:latest"}, nil, "postgresImage", settings.Malformed},
		"an image that is none":                       {onAWS, map[string]string{"consulImage": "Consul:1"}, nil, "consulImage", settings.Malformed},
		"a Consul that refuses engines' keys":         {onAWS, map[string]string{"consulImage": "hashicorp/consul:1.22.7"}, nil, "consulImage", settings.Conflict},
		"a Consul of the next major version":          {onAWS, map[string]string{"consulImage": "registry.example.org/consul:v2.0-ubi"}, nil, "consulImage", settings.Conflict},
		"a Consul that is too old":                    {onAWS, map[string]string{"consulImage": "consul:1.9.1"}, nil, "consulImage", settings.Conflict},
		"a Consul of any release":                     {onAWS, map[string]string{"consulImage": "hashicorp/consul:1"}, nil, "consulImage", settings.Conflict},
		"a Consul of the last major version":          {onAWS, map[string]string{"consulImage": "consul:v0.9-alpine"}, nil, "consulImage", settings.Conflict},
		"a network load balancer before Interlock":    {onAWS, map[string]string{"cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true", "networkLoadBalancer": "true"}, nil, "networkLoadBalancer", settings.Conflict},
		"a network load balancer elsewhere":           {onHosts, map[string]string{"networkLoadBalancer": "true"}, nil, "networkLoadBalancer", settings.Conflict},
		"a network load balancer, perhaps":            {onAWS, map[string]string{"networkLoadBalancer": "yes"}, nil, "networkLoadBalancer", settings.Unknown},
		"an Interlock that is too new":                {onAWS, map[string]string{"interlockImage": "ehazlett/interlock:1.3.2"}, nil, "interlockImage", settings.Conflict},
		"an Interlock of a major version":             {onAWS, map[string]string{"interlockImage": "ehazlett/interlock:1"}, nil, "interlockImage", settings.Conflict},
		"hosts that are no list":                      {onHosts, map[string]string{"hosts": `{"manager":"10.0.0.1"}`}, nil, "hosts", settings.Malformed},
		"hosts with a misspelt field":                 {onHosts, map[string]string{"hosts": `[{"name":"manager","adress":"10.0.0.1"}]`}, nil, "hosts", settings.Malformed},
		"a machine is missing":                        {onHosts, map[string]string{"frontends": "2"}, nil, "hosts", settings.Missing},
		"one address twice":                           {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.5", "10.0.0.4", 1)}, nil, "hosts", settings.Conflict},
		"a machine that is no node":                   {onHosts, map[string]string{"hosts": "[" + host("database", "10.0.0.9") + "," + onHosts()["hosts"][1:]}, nil, "hosts[0].name", settings.Unknown},
		"one machine as two nodes":                    {onHosts, map[string]string{"hosts": strings.NewReplacer(`"address":"10.0.0.4"`, `"address":"198.51.100.4","privateAddress":"10.0.0.4"`, `"address":"10.0.0.5"`, `"address":"198.51.100.4","privateAddress":"10.0.0.5"`).Replace(onHosts()["hosts"])}, nil, "hosts", settings.Conflict},
		"one machine's name as two nodes":             {onHosts, map[string]string{"hosts": strings.NewReplacer(`"address":"10.0.0.4"`, `"address":"Vote.example.org","privateAddress":"10.0.0.4"`, `"address":"10.0.0.5"`, `"address":"vote.example.org","privateAddress":"10.0.0.5"`).Replace(onHosts()["hosts"])}, nil, "hosts", settings.Conflict},
		"one machine's IPv4 in IPv6":                  {onHosts, map[string]string{"hosts": strings.NewReplacer(`"address":"10.0.0.4"`, `"address":"198.51.100.4","privateAddress":"10.0.0.4"`, `"address":"10.0.0.5"`, `"address":"::ffff:198.51.100.4","privateAddress":"10.0.0.5"`).Replace(onHosts()["hosts"])}, nil, "hosts", settings.Conflict},
		"one machine in two spellings":                {onHosts, map[string]string{"hosts": strings.NewReplacer(`"address":"10.0.0.4"`, `"address":"2001:db8::1","privateAddress":"10.0.0.4"`, `"address":"10.0.0.5"`, `"address":"2001:DB8:0::1","privateAddress":"10.0.0.5"`).Replace(onHosts()["hosts"])}, nil, "hosts", settings.Conflict},
		"a machine where docker0 is":                  {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `10.0.0.1`, `172.17.0.1`, 1)}, nil, "hosts[0].privateAddress", settings.Conflict},
		"a machine where docker_gwbridge is":          {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `10.0.0.1`, `172.18.7.8`, 1)}, nil, "hosts[0].privateAddress", settings.Conflict},
		"VPC where docker0 is":                        {onAWS, map[string]string{"vpcCidr": "172.17.0.0/16", "subnetCidr": "172.17.1.0/24"}, nil, "vpcCidr", settings.Conflict},
		"no host key":                                 {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], hostKey, "", 1)}, nil, "hosts[0].hostKey", settings.Malformed},
		"a private address that is a name":            {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "manager.example.org", 1)}, nil, "hosts[0].privateAddress", settings.Malformed},
		"a machine's public address":                  {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "198.51.100.4", 1)}, nil, "hosts[0].privateAddress", settings.Insecure},
		"a public address as the private one":         {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.0.0.1","privateAddress":"8.8.8.8"`, 1)}, nil, "hosts[0].privateAddress", settings.Insecure},
		"a private address of no machine":             {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "0.0.0.0", 1)}, nil, "hosts[0].privateAddress", settings.Malformed},
		"a private address that stays at home":        {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "127.0.0.1", 1)}, nil, "hosts[0].privateAddress", settings.Malformed},
		"a private address of many":                   {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "224.0.0.1", 1)}, nil, "hosts[0].privateAddress", settings.Malformed},
		"an address with a number too large":          {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.0.0.256","privateAddress":"10.0.0.1"`, 1)}, nil, "hosts[0].address", settings.Malformed},
		"overlay that is no range":                    {onAWS, map[string]string{"overlayCidr": "10.88.0.1"}, nil, "overlayCidr", settings.Malformed},
		"overlay of IPv6":                             {onAWS, map[string]string{"overlayCidr": "fd00::/64"}, nil, "overlayCidr", settings.Malformed},
		"overlay with IPv4 in IPv6":                   {onAWS, map[string]string{"overlayCidr": "::ffff:10.88.0.0/118"}, nil, "overlayCidr", settings.Malformed},
		"overlay with host bits":                      {onAWS, map[string]string{"overlayCidr": "10.88.1.0/22"}, nil, "overlayCidr", settings.Malformed},
		"overlay in the VPC":                          {onAWS, map[string]string{"overlayCidr": "192.168.100.0/24"}, nil, "overlayCidr", settings.Conflict},
		"overlay around the VPC":                      {onAWS, map[string]string{"vpcCidr": "10.4.0.0/16", "subnetCidr": "10.4.5.0/24", "overlayCidr": "10.0.0.0/8"}, nil, "overlayCidr", settings.Conflict},
		"VPC around the default overlay":              {onAWS, map[string]string{"vpcCidr": "10.77.0.0/16", "subnetCidr": "10.77.5.0/24"}, nil, "overlayCidr", settings.Conflict},
		"overlay with a machine":                      {onHosts, map[string]string{"overlayCidr": "10.0.0.0/28", "hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.0.1.1"`, 1)}, nil, "overlayCidr", settings.Conflict},
		"overlay with a machine's SSH address":        {onHosts, map[string]string{"overlayCidr": "10.99.0.0/24", "hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.99.0.7","privateAddress":"10.0.0.1"`, 1)}, nil, "overlayCidr", settings.Conflict},
		"machine in the default overlay":              {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "10.77.3.255", 1)}, nil, "overlayCidr", settings.Conflict},
		"overlay where docker0 is":                    {onAWS, map[string]string{"overlayCidr": "172.17.0.0/16"}, nil, "overlayCidr", settings.Conflict},
		"overlay where other bridges are":             {onAWS, map[string]string{"overlayCidr": "172.31.255.0/24"}, nil, "overlayCidr", settings.Conflict},
		"overlay around the bridges":                  {onAWS, map[string]string{"overlayCidr": "172.16.0.0/12"}, nil, "overlayCidr", settings.Conflict},
		"overlay on the internet":                     {onAWS, map[string]string{"overlayCidr": "11.0.0.0/24"}, nil, "overlayCidr", settings.Conflict},
		"overlay partly on the internet":              {onAWS, map[string]string{"overlayCidr": "10.0.0.0/7"}, nil, "overlayCidr", settings.Conflict},
		"overlay of everything":                       {onAWS, map[string]string{"overlayCidr": "0.0.0.0/0"}, nil, "overlayCidr", settings.Conflict},
		"link-local overlay":                          {onAWS, map[string]string{"overlayCidr": "169.254.0.0/16"}, nil, "overlayCidr", settings.Conflict},
		"overlay of multicast":                        {onAWS, map[string]string{"overlayCidr": "224.0.0.0/8"}, nil, "overlayCidr", settings.Conflict},
		"overlay too small":                           {onAWS, map[string]string{"overlayCidr": "10.88.0.0/29"}, nil, "overlayCidr", settings.OutOfRange},
		"unknown cluster":                             {onAWS, map[string]string{"cluster": "swarm"}, nil, "cluster", settings.Unknown},
		"two managers":                                {onAWS, map[string]string{"cluster": "swarm-mode", "managers": "2"}, nil, "managers", settings.OutOfRange},
		"no manager":                                  {onAWS, map[string]string{"cluster": "swarm-mode", "managers": "0"}, nil, "managers", settings.OutOfRange},
		"managers of no number":                       {onAWS, map[string]string{"cluster": "swarm-mode", "managers": "three"}, nil, "managers", settings.OutOfRange},
		"five managers of the walk-through":           {onAWS, map[string]string{"managers": "5", "cluster": "standalone"}, nil, "managers", settings.Conflict},
		"three managers that Interlock watches":       {onAWS, map[string]string{"managers": "3", "cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true"}, nil, "loadBalancer", settings.Conflict},
		"zones with three managers":                   {onAWS, map[string]string{"managers": "3", "cluster": "standalone", "zones": "3", "frontends": "3"}, nil, "zones", settings.Conflict},
		"two managers of the walk-through":            {onAWS, map[string]string{"managers": "2", "cluster": "standalone"}, nil, "managers", settings.OutOfRange},
		"interlock in swarm mode":                     {onAWS, map[string]string{"cluster": "swarm-mode", "loadBalancer": "interlock", "allowInterlock": "true"}, nil, "loadBalancer", settings.Conflict},
		"swarm's networks that are no range":          {onAWS, map[string]string{"cluster": "swarm-mode", "swarmCidr": "10.88.0.1"}, nil, "swarmCidr", settings.Malformed},
		"swarm's networks in the VPC":                 {onAWS, map[string]string{"cluster": "swarm-mode", "swarmCidr": "192.168.100.0/24"}, nil, "swarmCidr", settings.Conflict},
		"swarm's networks on the overlay":             {onAWS, map[string]string{"cluster": "swarm-mode", "swarmCidr": "10.77.2.0/24"}, nil, "swarmCidr", settings.Conflict},
		"swarm's networks too small":                  {onAWS, map[string]string{"cluster": "swarm-mode", "swarmCidr": "10.88.0.0/25"}, nil, "swarmCidr", settings.OutOfRange},
		"swarm's networks on docker's":                {onAWS, map[string]string{"cluster": "swarm-mode", "swarmCidr": "172.18.0.0/16"}, nil, "swarmCidr", settings.Conflict},
		"machine among the swarm's networks":          {onHosts, map[string]string{"cluster": "swarm-mode", "swarmCidr": "10.0.0.0/24"}, nil, "swarmCidr", settings.Conflict},
		"overlay too small for the frontends":         {onAWS, map[string]string{"overlayCidr": "10.88.0.0/24", "frontends": "126"}, nil, "overlayCidr", settings.OutOfRange},
		"public hosts in words":                       {onHosts, map[string]string{"allowPublicHosts": "perhaps"}, nil, "allowPublicHosts", settings.Unknown},
		"a port out of range":                         {onHosts, map[string]string{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"10.0.0.1","port":70000`, 1)}, nil, "hosts[0].port", settings.OutOfRange},
	} {
		t.Run(name, func(t *testing.T) {
			values := broken(test.base(), test.set)
			_, err := load(values, test.plain...)
			all := faults(t, err)
			if len(all) != 1 || all[0].Key != test.key || all[0].Kind != test.kind {
				t.Fatalf("got %v, want one fault: %s, %s", all, test.key, test.kind)
			}
			if value, ok := test.set[test.key]; ok && value != "-" && test.key != "hosts" && all[0].Value != "[secret]" && all[0].Value != strings.TrimSpace(value) {
				t.Errorf("the fault's value is %q, want %q", all[0].Value, value)
			}
			if strings.Contains(err.Error(), "PRIVATE KEY") && strings.Contains(err.Error(), "AAAA") {
				t.Errorf("the error shows a private key: %v", err)
			}
			if secret := values["postgresPassword"]; secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestUnusualValuesAreAccepted holds values that are right, although few stacks have them.
func TestUnusualValuesAreAccepted(t *testing.T) {
	publicHosts := strings.NewReplacer("10.0.0.1", "198.51.100.4", "10.0.0.2", "8.8.8.8").Replace(onHosts()["hosts"])
	for name, test := range map[string]struct {
		base func() map[string]string
		set  []map[string]string // each is loaded
	}{
		"user names": {onAWS, []map[string]string{
			{"sshUser": "john.doe"}, {"sshUser": "Administrator"}, {"sshUser": "backup$"}, {"sshUser": "jane@example.org"}, {"sshUser": `EXAMPLE\jane`},
			{"sshUser": "jane+ci"}, {"sshUser": "_apt"}, {"sshUser": "007"}, {"sshUser": "ec2-user"}, {"sshUser": strings.Repeat("a", 40)},
		}},
		"regions": {onAWS, []map[string]string{
			{"region": "eusc-de-east-1", "availabilityZone": "eusc-de-east-1a"}, {"region": "us-gov-east-1", "availabilityZone": "us-gov-east-1c"},
			{"region": "cn-northwest-1"}, {"region": "us-isob-east-1"}, {"region": "eu-isoe-west-1"}, {"region": "mx-central-1"},
			{"region": "ap-southeast-12", "availabilityZone": "ap-southeast-12a"}, {"region": "us-west-2", "availabilityZone": "us-west-2-lax-1a"},
			{"region": "us-east-1", "availabilityZone": "us-east-1-atl-2a"},
		}},
		"operators": {onAWS, []map[string]string{
			{"operatorCidr": "198.51.0.0/16"}, {"operatorCidr": "0.0.0.0/0", "allowSshFromAnywhere": "true"}, {"operatorCidr": "128.0.0.0/1", "allowSshFromAnywhere": "true"},
		}},
		"hosts": {onHosts, []map[string]string{
			{"allowPublicHosts": "true", "hosts": publicHosts},
			{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"198.51.100.4","privateAddress":"10.0.0.1"`, 1)},
			{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "100.101.102.103", 1)}, // carrier-grade NAT, as many VPNs use it
			{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "169.254.7.8", 1)},
			{"hosts": strings.Replace(onHosts()["hosts"], "10.0.0.1", "172.31.7.8", 1)}, // AWS's default VPC
			// Behind one address, which passes their ports on.
			{"hosts": strings.NewReplacer(`"address":"10.0.0.4"`, `"address":"198.51.100.4","port":2204,"privateAddress":"10.0.0.4"`, `"address":"10.0.0.5"`, `"address":"198.51.100.4","privateAddress":"10.0.0.5"`).Replace(onHosts()["hosts"])},
			{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"my_host.example","privateAddress":"10.0.0.1"`, 1)},
			{"hosts": strings.Replace(onHosts()["hosts"], `"address":"10.0.0.1"`, `"address":"3com.example","privateAddress":"10.0.0.1","user":"john.doe"`, 1)},
		}},
		"VPCs": {onAWS, []map[string]string{{"vpcCidr": "172.31.0.0/16", "subnetCidr": "172.31.1.0/24"}, {"vpcCidr": "172.16.0.0/16", "subnetCidr": "172.16.1.0/24"}}},
		"overlays": {onAWS, []map[string]string{
			{"overlayCidr": " 10.88.0.0/28\n"}, {"overlayCidr": "10.88.0.0/24", "frontends": "124"}, {"overlayCidr": "172.16.0.0/16"}, {"overlayCidr": "100.64.0.0/10"},
			{"overlayCidr": "198.18.0.0/24"}, {"overlayCidr": "10.0.0.0/8"}, {"frontends": "180", "workers": "50"},
			{"vpcCidr": "10.77.0.0/16", "subnetCidr": "10.77.5.0/24", "overlayCidr": "192.168.0.0/24"},
		}},
		"names": {onAWS, []map[string]string{{"voteNames": "vote_2026.example.org"}, {"voteNames": "_vote.example.org localhost"}}},
		"proxies": {onAWS, []map[string]string{
			{"trustedProxies": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7"}, {"trustedProxies": "13.0.0.0/8 13.32.0.0/15"}, {"trustedProxies": "2400:cb00::/32 2a06:98c0::/29"},
		}},
		"overlays besides hosts": {onHosts, []map[string]string{{"overlayCidr": "10.0.0.16/28"}, {"overlayCidr": "192.168.33.0/24"}}},
		"load balancers":         {onAWS, []map[string]string{{"loadBalancer": "interlock", "allowInterlock": "true", "cluster": "standalone"}, {"allowInterlock": "true"}}},
		"images": {onAWS, []map[string]string{
			{"consulImage": "hashicorp/consul:1.14"}, {"consulImage": "hashicorp/consul:1.21"}, {"consulImage": "consul:2024-06-01"}, {"consulImage": "consul:20240601"},
			{"interlockImage": "ehazlett/interlock:0.3.3"}, {"interlockImage": "ehazlett/interlock:latest-0"}, {"interlockImage": "interlock:0"}, {"consulImage": "consul@sha256:" + strings.Repeat("0", 64)}, {"consulImage": "consul:stable"},
			{"postgresImage": "postgres:18.6"}, {"postgresImage": "postgres@sha256:" + strings.Repeat("0", 64)}, {"postgresImage": "registry.example.org:5000/pg:mine"},
		}},
	} {
		for _, set := range test.set {
			if _, err := load(broken(test.base(), set)); err != nil {
				t.Errorf("%s: %v: %v", name, set, err)
			}
		}
	}
}

// broken returns values changed by set.
func broken(values, set map[string]string) map[string]string {
	for key, value := range set {
		values[key] = value
		if value == "-" {
			delete(values, key)
		}
	}
	return values
}

// faults returns the faults that an error of Load joins. Each has to say what is wrong and what to do.
func faults(t *testing.T, err error) []settings.Fault {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("the error joins no faults: %v", err)
	}
	var all []settings.Fault
	for _, one := range joined.Unwrap() {
		fault, ok := errors.AsType[settings.Fault](one)
		if !ok || fault.Key == "" || fault.Kind == "" || fault.Problem == "" || fault.Remedy == "" {
			t.Errorf("a fault lacks a part: %#v", one)
		}
		all = append(all, fault)
	}
	return all
}

// TestAllFaultsAreReportedAtOnce holds that one fault hides no other.
func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	_, err := load(map[string]string{
		"frontends": "999", "loadBalancer": "nginx", "operatorCidr": "0.0.0.0/0", "subnetCidr": "10.0.0.0/24", "redisImage": "redis:latest",
	})
	var keys []string
	for _, fault := range faults(t, err) {
		keys = append(keys, fault.Key)
	}
	slices.Sort(keys)
	want := []string{"frontends", "keyPair", "loadBalancer", "operatorCidr", "postgresPassword", "redisImage", "subnetCidr", "voterKey"}
	if !slices.Equal(keys, want) {
		t.Errorf("faults of %v, want %v", keys, want)
	}
}

// TestMessagesNameKeyValueAndRemedy holds eight messages word for word.
func TestMessagesNameKeyValueAndRemedy(t *testing.T) {
	for _, test := range []struct {
		base func() map[string]string
		set  map[string]string
		want string
	}{
		{onAWS, map[string]string{"frontends": "two"}, `swarm-scale:frontends is "two", which is not a whole number in range: set it to 1 … 180`},
		{onAWS, map[string]string{"keyPair": "-"}, `swarm-scale:keyPair is not set: name an EC2 key pair of us-west-1: pulumi config set keyPair NAME (aws ec2 describe-key-pairs lists them)`},
		{onAWS, map[string]string{"operatorCidr": "0.0.0.0/0"}, `swarm-scale:operatorCidr is "0.0.0.0/0", which opens SSH to 4294967296 addresses: give your own range, /16 or smaller, or say that you mean it: pulumi config set allowSshFromAnywhere true`},
		{onAWS, map[string]string{"postgresPassword": "hunter2"}, `swarm-scale:postgresPassword is "[secret]", which has 7 characters: use 12 to 128: pulumi config set --secret postgresPassword`},
		{onAWS, map[string]string{"zones": "2"}, `swarm-scale:zones is "2", which is not 1 or 3: set it to 3, of which one may be lost, or to 1. Of two, one has most of the swarm's managers, which stops without it`},
		{onAWS, map[string]string{"zones": "3"}, `swarm-scale:zones is "3", which needs a frontend in each zone, and there is one in 2 of them: set frontends to 3 or more, with platform hosts one in each zone, or leave zones out`},
		{onAWS, map[string]string{"managers": "4"}, `swarm-scale:managers is "4", which is not 1, 3 or 5: set it to 3, of which one may be lost, to 5, of which two may be, or to 1`},
		{onAWS, map[string]string{"managers": "5", "frontends": "1"},
			`swarm-scale:managers is "5", which needs 5 nodes to choose from, and there are 4: manager, worker01, store and each frontend: set frontends to 2 or more, or managers to 3`},
		{onAWS, map[string]string{"managers": "5", "zones": "3", "frontends": "3"},
			`swarm-scale:managers is "5", which needs 5 nodes to choose from, at most 2 in a zone, so that most are left when it is lost, and there are 4: manager, worker01, store and each frontend: ` +
				`set frontends to 5 or more, or managers to 3`},
		{inZones(t, 3, nil), map[string]string{"managers": "5"},
			`swarm-scale:managers is "5", which needs 5 nodes to choose from, at most 2 in a zone, so that most are left when it is lost, and there are 4: manager, worker01, store and each frontend: ` +
				`have two of these machines in each of two zones, and one in the third, or set managers to 3`},
		{onHosts, map[string]string{"networkLoadBalancer": "true"},
			`swarm-scale:networkLoadBalancer is "true", which is a load balancer of AWS, and the platform is hosts: leave it out, ` +
				`and enter the addresses of the output voteAddresses in DNS, or have your machines share one (docs/hosts.md)`},
		{onAWS, map[string]string{"networkLoadBalancer": "true", "cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true"},
			`swarm-scale:networkLoadBalancer is "true", which needs haproxy, which says whether it has a frontend; Interlock does not: leave it out, or set loadBalancer to haproxy`},
		{inZones(t, 3, map[string]int{"interlock02": 1}), nil, `swarm-scale:hosts has interlock, interlock02 in one zone, where they are lost together: set the zone of one of them to another`},
		{onHosts, map[string]string{"frontends": "2"}, `swarm-scale:hosts has no machine named frontend02: add one, or ask for fewer nodes of its role`},
	} {
		if _, err := load(broken(test.base(), test.set)); err == nil || err.Error() != test.want {
			t.Errorf("got\n%v\nwant\n%s", err, test.want)
		}
	}
}

// TestProxiesAreFew holds that many ranges are as insecure as a wide one. Ranges that nobody on the internet has do not count.
func TestProxiesAreFew(t *testing.T) {
	for proxies, want := range map[string]string{
		"0.0.0.0/1 128.0.0.0/1":                   "0.0.0.0/1 128.0.0.0/1",
		"12.0.0.0/8 13.0.0.0/9":                   "12.0.0.0/8 13.0.0.0/9",
		"2400::/16 2600::/16":                     "2400::/16 2600::/16",
		"12.0.0.0/9 12.0.0.0/9 12.128.0.0/9":      "",
		"10.0.0.0/8 12.0.0.0/8 2400::/16 ::1":     "",
		"12.0.0.0/8 12.7.0.0/16,2400::/16 fe80::": "",
	} {
		_, err := load(broken(onAWS(), map[string]string{"trustedProxies": proxies}))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", proxies, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: no fault", proxies)
			continue
		}
		for _, fault := range faults(t, err) {
			if fault.Key != "trustedProxies" || fault.Kind != settings.Insecure || !strings.Contains(want, fault.Value) {
				t.Errorf("%s: %v", proxies, fault)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("aws", "2", "1", "203.0.113.7/32", "192.168.33.0/24", "Cats", "redis:7", "[]", "a b c d e f g h")
	f.Add("hosts", "1", "1", "", "", "", "", onHosts()["hosts"], "correct horse battery")
	f.Add("hosts", "-1", "1e9", "::/0", "0.0.0.0/0", "\xff", "\x00", `[{"name":"store","port":-1}]`, "\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd")
	f.Fuzz(func(t *testing.T, platform, frontends, workers, operator, subnet, option, image, hosts, password string) {
		values := onAWS()
		maps.Copy(values, map[string]string{
			"platform": platform, "frontends": frontends, "workers": workers, "operatorCidr": operator, "subnetCidr": subnet,
			"optionA": option, "redisImage": image, "hosts": hosts, "postgresPassword": password,
		})
		s, err := load(values)
		if err != nil {
			return
		}
		// Accepted settings are usable: every role has nodes, and every node has a name and an address of its own.
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
