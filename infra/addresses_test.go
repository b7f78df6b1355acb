package infra

import (
	"net/netip"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// TestAddressesCanBeUsed holds what a browser, ssh, docker and /etc/hosts are given of a machine, for each kind of address.
func TestAddressesCanBeUsed(t *testing.T) {
	for _, test := range []struct {
		address, user                         string
		port                                  int
		http, ssh, docker, knownHosts, hostIP string
	}{
		{"198.51.100.7", "ubuntu", 22,
			"http://198.51.100.7", "ssh ubuntu@198.51.100.7", "ssh://ubuntu@198.51.100.7:22", "198.51.100.7 KEY", "198.51.100.7"},
		{"198.51.100.7", "john.doe", 2222,
			"http://198.51.100.7", "ssh -p 2222 john.doe@198.51.100.7", "ssh://john.doe@198.51.100.7:2222", "[198.51.100.7]:2222 KEY", "198.51.100.7"},
		{"2001:db8::5", "root", 22,
			"http://[2001:db8::5]", "ssh root@2001:db8::5", "ssh://root@[2001:db8::5]:22", "2001:db8::5 KEY", "2001:db8::5"},
		{"2001:db8::5", "jane@example.org", 2222,
			"http://[2001:db8::5]", "ssh -p 2222 jane@example.org@2001:db8::5", "ssh://jane%40example.org@[2001:db8::5]:2222", "[2001:db8::5]:2222 KEY", "2001:db8::5"},
		{"fe80::1%eth0", "root", 22,
			"http://10.0.0.1", "ssh root@fe80::1%eth0", "ssh://root@[fe80::1%25eth0]:22", "fe80::1%eth0 KEY", "10.0.0.1"},
		{"127.0.0.1", "vagrant", 2222,
			"http://10.0.0.1", "ssh -p 2222 vagrant@127.0.0.1", "ssh://vagrant@127.0.0.1:2222", "[127.0.0.1]:2222 KEY", "10.0.0.1"},
		{"localhost", `EXAMPLE\jane`, 22,
			"http://10.0.0.1", `ssh 'EXAMPLE\jane@localhost'`, "ssh://EXAMPLE%5Cjane@localhost:22", "localhost KEY", "10.0.0.1"},
		{"nobody-has-this-name.invalid", "ubuntu", 22,
			"http://nobody-has-this-name.invalid", "ssh ubuntu@nobody-has-this-name.invalid", "ssh://ubuntu@nobody-has-this-name.invalid:22",
			"nobody-has-this-name.invalid KEY", "10.0.0.1"},
	} {
		got := map[string]string{}
		node := &Node{
			Node: topology.Node{Address: netip.MustParseAddr("10.0.0.1")}, user: test.user, port: test.port,
			PublicAddress: pulumi.String(test.address).ToStringOutput(), HostKey: pulumi.String("KEY").ToStringOutput(),
		}
		err := pulumi.RunErr(func(ctx *pulumi.Context) error {
			seen := make(chan struct{})
			names := []string{"http", "ssh", "docker", "known_hosts", "/etc/hosts"}
			pulumi.ToStringArrayOutput([]pulumi.StringOutput{node.HTTP(), node.SSHCommand(), node.DockerHost(), node.KnownHostsLine(), node.NumericAddress(t.Context())}).
				ApplyT(func(values []string) string {
					for i, value := range values {
						got[names[i]] = value
					}
					close(seen)
					return ""
				})
			<-seen
			return nil
		}, pulumi.WithMocks("project", "stack", recorder{}))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"http": test.http, "ssh": test.ssh, "docker": test.docker, "known_hosts": test.knownHosts, "/etc/hosts": test.hostIP,
		} {
			if got[name] != want {
				t.Errorf("%s at %s: %s gets %q, want %q", test.user, test.address, name, got[name], want)
			}
		}
	}
}
