package infra

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra/packages"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

const (
	// filterSilence is how long a node that has left is let in after its last packet. Its engine calls each other one at least
	// every few minutes, as long as it is in the cluster.
	filterSilence = "10m"
	// engineBridge is the interface of an engine's default network.
	engineBridge = "docker0"
)

var (
	//go:embed packet_filter.nft.tmpl
	filterTemplate string
	//go:embed scripts/packet-filter.sh
	filterScript string
	//go:embed scripts/packet-filter-remove.sh
	filterRemoveScript string
)

// newPacketFilters keeps a packet filter on every node. All other scripts run after all filters. So nothing listens on a node
// before it has its own, and a new node is let in before it calls.
func newPacketFilters(ctx *pulumi.Context, nodes []*Node, settings []kept, traffic []Rule, commands *command.Provider, parent pulumi.ResourceOption) error {
	keep, err := keep(ctx, "packet-filter", settings)
	if err != nil {
		return err
	}
	var planned []topology.Node
	for _, node := range nodes {
		planned = append(planned, node.Node)
	}
	var filters []pulumi.Resource
	for _, node := range nodes {
		rules, err := packetFilter(node.Node, planned, traffic)
		if err != nil {
			return err
		}
		variables := map[string]pulumi.StringInput{
			"NODE_NAME":       pulumi.String(node.Name),
			"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
			"RULES":           pulumi.String(rules),
			"ALL":             pulumi.String(setName(AllNodes())),
			"SILENCE":         pulumi.String(filterSilence),
		}
		for _, setting := range settings {
			if setting.written() {
				variables[setting.variable] = pulumi.String(setting.value)
			}
		}
		filter, err := node.Run(ctx, node.Name+"-packet-filter", Script{Text: packages.Functions + filterScript, Variables: variables}, parent, pulumi.ResourceHooks(keep))
		if err != nil {
			return err
		}
		filters = append(filters, filter)
	}
	// One resource stands for all filters. Otherwise the state would list every filter with every script.
	all, err := local.NewCommand(ctx, "packet-filters", &local.CommandArgs{}, pulumi.Provider(commands), parent, pulumi.DependsOn(filters))
	for _, node := range nodes {
		node.Reachable = append(node.Reachable, all)
	}
	return err
}

// sshStaysOpen returns a fault for every existing machine whose SSH port the packet filter would close, or a container needs.
func sshStaysOpen(s settings.Settings, traffic []Rule) error {
	var faults []error
	for i, host := range s.Hosts {
		for _, r := range traffic {
			if r.Protocol == TCP && r.Port == host.Port && r.To.Contains(s.Nodes[i].Role) {
				why := "the packet filter closes it"
				if r.From == nil {
					why = "a container listens there"
				}
				faults = append(faults, settings.Fault{
					Key: "hosts", Value: strconv.Itoa(host.Port), Kind: settings.Conflict,
					Problem: fmt.Sprintf("is the SSH port of %s, and %s (%s)", host.Name, why, r.Why),
					Remedy:  "have sshd listen at another port, and set that as the machine's port",
				})
			}
		}
	}
	return errors.Join(faults...)
}

// withFilterRemoved returns a script that also removes the packet filter, last of all.
func withFilterRemoved(giveBack Script) Script {
	// A subshell, because the script may exit early.
	giveBack.Text = "set -e\n(\n" + giveBack.Text + "\n)\n" + filterRemoveScript
	return giveBack
}

// setName returns the name of the set with the addresses of a group's nodes.
func setName(group Group) string { return "nodes-" + group.Name }

// packetFilter returns the packet filter of a node as nftables reads it. It holds the rules with a From. Other rules' ports are open
// to everybody.
//
// It looks at packets to the node, and at those that the node forwards to other nodes. Behind its address are containers, and the
// other nodes cannot tell them from it.
func packetFilter(own topology.Node, nodes []topology.Node, traffic []Rule) (string, error) {
	type set struct {
		Name      string
		Addresses []string
	}
	type rule struct {
		Name, Why, Protocol, From, To string
		Port                          int
		Here                          bool   // the node is in the group that the traffic goes to
		Bridge                        string // the interface of containers that may send it; empty: none may
	}
	filter := struct {
		Node, Silence, All string
		Groups             []set
		Ports              []int
		Rules              []rule
	}{Node: own.Name, Silence: filterSilence, All: setName(AllNodes())}

	groups := []Group{AllNodes()}
	for _, r := range traffic {
		if r.From == nil {
			continue
		}
		groups = append(groups, *r.From, r.To)
		filter.Ports = append(filter.Ports, r.Port)
		bridge := ""
		if r.Containers != nil && r.Containers.Contains(own.Role) {
			bridge = engineBridge
		}
		filter.Rules = append(filter.Rules, rule{
			Name: "to-" + r.Name, Why: r.Why, Protocol: string(r.Protocol), Port: r.Port,
			From: setName(*r.From), To: setName(r.To), Here: r.To.Contains(own.Role), Bridge: bridge,
		})
	}
	slices.Sort(filter.Ports)
	filter.Ports = slices.Compact(filter.Ports)
	for _, group := range groups {
		name := setName(group)
		if slices.ContainsFunc(filter.Groups, func(known set) bool { return known.Name == name }) {
			continue
		}
		var addresses []string
		for _, node := range nodes {
			if group.Contains(node.Role) {
				addresses = append(addresses, node.Address.String())
			}
		}
		filter.Groups = append(filter.Groups, set{Name: name, Addresses: addresses})
	}

	parsed, err := template.New("packet filter").Funcs(template.FuncMap{"join": strings.Join}).Parse(filterTemplate)
	if err != nil {
		return "", fmt.Errorf("the packet filter of %s: %w", own.Name, err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, filter); err != nil {
		return "", fmt.Errorf("the packet filter of %s: %w", own.Name, err)
	}
	return text.String(), nil
}
