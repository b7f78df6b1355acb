package infra

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// TestPacketFilterHoldsTheDescription holds what the filter of each role does at each port: which packets it looks at, and which of
// them it lets in. All others are dropped.
func TestPacketFilterHoldsTheDescription(t *testing.T) {
	all := AllNodes()
	manager := Group{Name: "manager", Roles: []topology.Role{topology.Manager}}
	balancers := Group{Name: "balancers", Roles: []topology.Role{topology.LoadBalancer}}
	frontends := Group{Name: "frontends", Roles: []topology.Role{topology.Frontend}}
	traffic := []Rule{
		{Name: "engine", To: all, From: &all, Containers: &manager, Protocol: TCP, Port: 2375, Why: "engines"},
		{Name: "data", To: all, From: &all, Protocol: UDP, Port: 4789, Why: "overlay"},
		{Name: "web", To: frontends, From: &balancers, Containers: &balancers, Protocol: TCP, Port: 5000, Why: "web containers"},
		{Name: "page", To: balancers, Protocol: TCP, Port: 80, Why: "vote page"},
	}
	node := func(name string, role topology.Role, address string) topology.Node {
		return topology.Node{Name: name, Role: role, Address: netip.MustParseAddr(address)}
	}
	nodes := []topology.Node{
		node("manager", topology.Manager, "10.0.0.1"), node("interlock", topology.LoadBalancer, "10.0.0.2"),
		node("frontend01", topology.Frontend, "10.0.0.20"), node("frontend02", topology.Frontend, "10.0.0.21"),
	}
	const (
		ofAll = "ip saddr @nodes-members ip daddr @nodes-members fib saddr . iif oif exists accept"
		ofWeb = "ip saddr @nodes-balancers ip daddr @nodes-frontends fib saddr . iif oif exists accept"
	)
	seen := func(protocol, port, to, chain string, here bool) []string {
		lines := []string{protocol + " dport " + port + " ip daddr @nodes-" + to + " goto to-" + chain}
		if here {
			lines = append([]string{protocol + " dport " + port + " fib daddr type != unicast goto to-" + chain}, lines...)
		}
		return lines
	}
	for i, want := range []struct {
		arrivals          [][]string
		engine, data, web []string
	}{
		{
			arrivals: [][]string{seen("tcp", "2375", "members", "engine", true), seen("udp", "4789", "members", "data", true), seen("tcp", "5000", "frontends", "web", false)},
			engine:   []string{ofAll, `iifname "docker0" ip daddr @nodes-members accept`}, data: []string{ofAll}, web: []string{ofWeb},
		},
		{
			arrivals: [][]string{seen("tcp", "2375", "members", "engine", true), seen("udp", "4789", "members", "data", true), seen("tcp", "5000", "frontends", "web", false)},
			engine:   []string{ofAll}, data: []string{ofAll}, web: []string{ofWeb, `iifname "docker0" ip daddr @nodes-frontends accept`},
		},
		{
			arrivals: [][]string{seen("tcp", "2375", "members", "engine", true), seen("udp", "4789", "members", "data", true), seen("tcp", "5000", "frontends", "web", true)},
			engine:   []string{ofAll}, data: []string{ofAll}, web: []string{ofWeb},
		},
	} {
		t.Run(nodes[i].Name, func(t *testing.T) {
			text, err := packetFilter(nodes[i], nodes, traffic)
			if err != nil {
				t.Fatal(err)
			}
			got := blocks(text)
			arrivals := append([]string{
				"type filter hook prerouting priority mangle; policy accept;",
				`iifname "lo" accept`,
				"meta l4proto { tcp, udp } th dport { 2375, 4789, 5000 } ip saddr @nodes-members update @nodes-members { ip saddr timeout 10m }",
				"ct state established accept",
			}, slices.Concat(want.arrivals...)...)
			for name, want := range map[string][]string{
				"chain arrivals":      arrivals,
				"chain to-engine":     append(want.engine, "counter drop"),
				"chain to-data":       append(want.data, "counter drop"),
				"chain to-web":        append(want.web, "counter drop"),
				"set nodes-members":   {"type ipv4_addr", "flags dynamic, timeout", "elements = { 10.0.0.1, 10.0.0.2, 10.0.0.20, 10.0.0.21 }"},
				"set nodes-balancers": {"type ipv4_addr", "elements = { 10.0.0.2 }"},
				"set nodes-frontends": {"type ipv4_addr", "elements = { 10.0.0.20, 10.0.0.21 }"},
			} {
				if !slices.Equal(got[name], want) {
					t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got[name], "\n"), strings.Join(want, "\n"))
				}
				delete(got, name)
			}
			for name := range got {
				t.Errorf("%s: want no such thing", name)
			}
			if !strings.HasPrefix(strings.TrimSpace(text[strings.Index(text, "\ntable"):]),
				"table inet swarm-scale\ndelete table inet swarm-scale\ntable inet swarm-scale {") {
				t.Errorf("the filter does not replace the one before in one transaction:\n%s", text)
			}
		})
	}
}

// blocks returns the lines of each set and chain of a filter, without comments.
func blocks(text string) map[string][]string {
	found, name := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "set "), strings.HasPrefix(line, "chain "):
			name = strings.TrimSuffix(line, " {")
			found[name] = nil
		case line == "}":
			name = ""
		case name != "" && line != "":
			found[name] = append(found[name], line)
		}
	}
	return found
}

// TestPacketFilterOfOpenPorts holds that ports which are open to everybody are not filtered.
func TestPacketFilterOfOpenPorts(t *testing.T) {
	text, err := packetFilter(topology.Node{Name: "store", Role: topology.Store, Address: netip.MustParseAddr("10.0.0.9")}, nil,
		[]Rule{{Name: "results", To: Group{Name: "stores"}, Protocol: TCP, Port: 80}})
	got := blocks(text)
	if want := []string{"type filter hook prerouting priority mangle; policy accept;", `iifname "lo" accept`, "ct state established accept"}; err != nil ||
		len(got) != 2 || !slices.Equal(got["chain arrivals"], want) {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestSSHPortIsNotClosed holds that a machine is refused whose SSH port the filter would close or a page needs, with all faults at once.
func TestSSHPortIsNotClosed(t *testing.T) {
	all := AllNodes()
	frontends := Group{Name: "frontends", Roles: []topology.Role{topology.Frontend}}
	traffic := []Rule{
		{Name: "engine", To: all, From: &all, Protocol: TCP, Port: 2375, Why: "engines"},
		{Name: "data", To: all, From: &all, Protocol: UDP, Port: 4789, Why: "overlay"},
		{Name: "web", To: frontends, From: &all, Protocol: TCP, Port: 5000, Why: "web containers"},
		{Name: "page", To: frontends, Protocol: TCP, Port: 80, Why: "page"},
	}
	for port, want := range map[int][]string{
		22: nil, 4789: nil, // SSH is TCP
		2375: {"SSH port of frontend01, and the packet filter closes it (engines)", "SSH port of manager, and the packet filter closes it (engines)"},
		5000: {"SSH port of frontend01, and the packet filter closes it (web containers)"},
		80:   {"SSH port of frontend01, and a container listens there (page)"},
	} {
		err := sshStaysOpen(settings.Settings{
			Nodes: []topology.Node{{Name: "frontend01", Role: topology.Frontend}, {Name: "manager", Role: topology.Manager}},
			Hosts: []settings.Host{{Name: "frontend01", Port: port}, {Name: "manager", Port: port}},
		}, traffic)
		var faults []error
		if err != nil {
			faults = err.(interface{ Unwrap() []error }).Unwrap()
		}
		if len(faults) != len(want) {
			t.Errorf("SSH at port %d: %v, want faults of %v", port, err, want)
			continue
		}
		for i, fault := range faults {
			var typed settings.Fault
			if !errors.As(fault, &typed) || typed.Key != "hosts" || typed.Kind != settings.Conflict || !strings.Contains(typed.Problem, want[i]) {
				t.Errorf("SSH at port %d: %v, want a conflict of hosts: %s", port, fault, want[i])
			}
		}
	}
}

// TestGivenBackMachineHasNoFilter holds that the filter goes when a machine is given back, also if the script before exits early; that
// it stays if that script fails; and that nothing happens to it when the machine joins.
func TestGivenBackMachineHasNoFilter(t *testing.T) {
	if output, err := exec.Command("unshare", "--net", "--mount", "nft", "list", "tables").CombinedOutput(); err != nil {
		t.Skipf("a network namespace with nftables is needed (root, packages util-linux and nftables): %v: %s", err, output)
	}
	for _, test := range []struct {
		name, text, action string
		stays              bool
	}{
		{"given back", "exit 0", "delete", false},
		{"not given back", "exit 1", "delete", true},
		{"joins", "true", "create", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			// /etc is an empty folder there.
			command := exec.Command("unshare", "--net", "--mount", "bash", "-euc", `
				mount -t tmpfs none /etc
				mkdir -p /etc/systemd/system/docker.service.d
				touch /etc/swarm-scale-filter.nft /etc/systemd/system/docker.service.d/swarm-scale-filter.conf /etc/systemd/system/swarm-scale-filter.service
				nft 'add table inet swarm-scale; add table inet other'
				bash -s "$ACTION" <<<"$TEXT" || true
				nft list tables
				find /etc -type f
			`)
			command.Env = append(os.Environ(), "ACTION="+test.action, "TEXT="+withFilterRemoved(Script{Text: test.text}).Text)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			for _, part := range []string{"table inet swarm-scale\n", "/etc/swarm-scale-filter.nft\n", "swarm-scale-filter.conf\n", "swarm-scale-filter.service\n"} {
				if strings.Contains(string(output), part) != test.stays {
					t.Errorf("%q is left: %v, want %v\n%s", part, !test.stays, test.stays, output)
				}
			}
			if !strings.Contains(string(output), "table inet other\n") {
				t.Errorf("somebody else's table is gone:\n%s", output)
			}
		})
	}
}
