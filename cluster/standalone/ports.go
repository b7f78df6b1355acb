package standalone

import (
	"fmt"
	"slices"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Ports of the cluster, as in the walk-through.
const (
	consulPort  = 8500 // on the manager; with several, on every node, for the node itself
	managerPort = 3375 // on managers
	enginePort  = 2375 // on every node
)

// Ports of Consul's own, with several managers (Consul's documentation, "Required ports").
const (
	serverPort       = 8300 // on managers: what agents ask servers, and servers each other
	consulGossipPort = 8301 // on every node
)

// ports returns the line that sets the ports in a script. It comes first in each script.
func ports() string {
	return fmt.Sprintf("CONSUL_PORT=%d MANAGER_PORT=%d ENGINE_PORT=%d GOSSIP_PORT=%d\n", consulPort, managerPort, enginePort, engine.GossipPort)
}

// Traffic returns the rules for traffic between the cluster's parts.
//
// Three kinds of containers call other nodes from their engine's default network: the Swarm manager calls engines and Consul, the
// members' agents call Consul, and Interlock calls the Swarm manager. HAProxy, which everybody reaches, may call none of them.
//
// With several managers the first two kinds are on their hosts' networks, and Consul's HTTP API is only for the node itself. The rules for
// them stay, for a stack that had one manager, until its containers are others.
func Traffic(s settings.Settings) []infra.Rule {
	nodes := infra.AllNodes()
	manager := infra.Group{Name: "manager", Description: "Consul and Swarm manager, from the nodes", Roles: []topology.Role{topology.Manager}}
	announcers := infra.Group{Roles: []topology.Role{topology.Manager}}
	for _, spec := range topology.Roles() {
		if isMember(spec.Role) {
			announcers.Roles = append(announcers.Roles, spec.Role)
		}
	}
	var watchers *infra.Group
	if s.LoadBalancer == settings.Interlock {
		watchers = &infra.Group{Roles: []topology.Role{topology.LoadBalancer}}
	}
	rules := []infra.Rule{
		{Name: "engine", To: nodes, From: &nodes, Containers: &manager, Protocol: infra.TCP, Port: enginePort, Why: "Docker Engine, among the nodes"},
		{Name: "swarm-manager", To: manager, From: &nodes, Containers: watchers, Protocol: infra.TCP, Port: managerPort, Why: "Swarm manager, from the nodes"},
		{Name: "consul", To: manager, From: &nodes, Containers: &announcers, Protocol: infra.TCP, Port: consulPort, Why: "Consul, from the nodes"},
	}
	rules = slices.Insert(rules, 1, engine.OverlayTraffic()...)
	if len(s.Managers) > 1 {
		rules = append(rules,
			infra.Rule{Name: "consul-server", To: manager, From: &nodes, Protocol: infra.TCP, Port: serverPort, Why: "Consul's servers, from the nodes"},
			infra.Rule{Name: "consul-gossip-tcp", To: nodes, From: &nodes, Protocol: infra.TCP, Port: consulGossipPort, Why: "Consul's gossip, among the nodes"},
			infra.Rule{Name: "consul-gossip-udp", To: nodes, From: &nodes, Protocol: infra.UDP, Port: consulGossipPort, Why: "Consul's gossip, among the nodes"},
		)
	}
	return rules
}
