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
	consulPort  = 8500 // on the manager
	managerPort = 3375 // on the manager
	enginePort  = 2375 // on every node
)

// ports returns the line that sets the ports in a script. It comes first in each script.
func ports() string {
	return fmt.Sprintf("CONSUL_PORT=%d MANAGER_PORT=%d ENGINE_PORT=%d GOSSIP_PORT=%d\n", consulPort, managerPort, enginePort, engine.GossipPort)
}

// Traffic returns the rules for traffic between the cluster's parts.
//
// Three kinds of containers call other nodes from their engine's default network: the Swarm manager calls engines and Consul, the
// members' agents call Consul, and Interlock calls the Swarm manager. HAProxy, which everybody reaches, may call none of them.
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
	return slices.Insert(rules, 1, engine.OverlayTraffic()...)
}
