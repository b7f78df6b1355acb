package stack_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"swarm-scale/app"
	"swarm-scale/cluster/standalone"
	"swarm-scale/cluster/swarmmode"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// update makes TestPortsDocumentsAreUpToDate write the tables.
var update = flag.Bool("update", false, "write the tables of ports in the documents from the description of traffic")

// traffic returns the description that the stack makes security groups and packet filters of.
func traffic(s settings.Settings) []infra.Rule {
	if s.Cluster == settings.SwarmMode {
		return slices.Concat(swarmmode.Traffic(s), app.Traffic(s))
	}
	return slices.Concat(standalone.Traffic(s), app.Traffic(s))
}

// TestPortsDocumentsAreUpToDate holds that the tables in the documents are the descriptions of traffic. That of the walk-through's cluster is with
// Interlock, which needs most.
func TestPortsDocumentsAreUpToDate(t *testing.T) {
	managers := []topology.Node{{Role: topology.Manager}, {Role: topology.Worker}, {Role: topology.Store}}
	for path, s := range map[string]settings.Settings{
		"../docs/hosts.md":        {Cluster: settings.SwarmMode, Managers: managers, LoadBalancer: settings.HAProxy},
		"../docs/walk-through.md": {Cluster: settings.Standalone, LoadBalancer: settings.Interlock},
	} {
		upToDate(t, path, portsTable(traffic(s)))
	}
}

// upToDate compares the table of ports in a document, or writes it.
func upToDate(t *testing.T, path, table string) {
	t.Helper()
	const begin, end = "<!-- ports: make docs -->\n", "<!-- end of ports -->\n"
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(document), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table of ports between %q and %q", path, begin, end)
	}
	want := head + begin + table + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(document) != want {
		t.Errorf("the table of ports in %s is out of date: make docs writes this one\n%s", path, table)
	}
}

// portsTable returns the table in Markdown, by port.
func portsTable(rules []infra.Rule) string {
	slices.SortStableFunc(rules, func(a, b infra.Rule) int { return a.Port - b.Port })
	table := "| port | on | let in | of containers there | for |\n|---|---|---|---|---|\n" +
		"| 22/tcp | every node | on AWS `operatorCidr`, else as the machine has it |  | SSH |\n"
	for _, rule := range rules {
		from, containers := "everybody", ""
		if rule.From != nil {
			from, containers = group(*rule.From), "none"
		}
		if rule.Containers != nil {
			containers = "on " + group(*rule.Containers)
		}
		table += fmt.Sprintf("| %d/%s | %s | %s | %s | %s |\n", rule.Port, rule.Protocol, group(rule.To), from, containers, rule.Why)
	}
	return table
}

// group names the nodes of a group.
func group(g infra.Group) string {
	if len(g.Roles) == 0 {
		return "every node"
	}
	names := map[topology.Role]string{
		topology.Manager: "managers", topology.LoadBalancer: "load balancers", topology.Frontend: "frontends", topology.Worker: "workers", topology.Store: "stores",
	}
	var list []string
	for _, role := range g.Roles {
		list = append(list, names[role])
	}
	return strings.Join(list, ", ")
}
