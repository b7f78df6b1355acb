package swarmmode

import (
	"fmt"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// Ports of swarm mode (Docker's documentation, "Getting started with Swarm mode").
const (
	managementPort = 2377 // on managers
	gossipPort     = 7946 // on every member
	vxlanPort      = 4789 // on every member
)

// ports returns the line that sets the ports in a script. It comes first in each script.
func ports() string {
	return fmt.Sprintf("MANAGEMENT_PORT=%d VXLAN_PORT=%d\n", managementPort, vxlanPort)
}

// Traffic returns the rules for traffic between the cluster's parts. Containers send none of it.
func Traffic(s settings.Settings) []infra.Rule {
	nodes := infra.AllNodes()
	managers := infra.Group{Name: "manager", Description: "Swarm managers, from the nodes", Roles: managingRoles[:s.Managers]}
	return []infra.Rule{
		{Name: "swarm-management", To: managers, From: &nodes, Protocol: infra.TCP, Port: managementPort, Why: "swarm management, from the nodes"},
		{Name: "overlay-control-tcp", To: nodes, From: &nodes, Protocol: infra.TCP, Port: gossipPort, Why: "overlay control plane, among the nodes"},
		{Name: "overlay-control-udp", To: nodes, From: &nodes, Protocol: infra.UDP, Port: gossipPort, Why: "overlay control plane, among the nodes"},
		{Name: "overlay-data", To: nodes, From: &nodes, Protocol: infra.UDP, Port: vxlanPort, Why: "overlay data plane (VXLAN), among the nodes"},
	}
}
