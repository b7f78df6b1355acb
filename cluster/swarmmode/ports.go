package swarmmode

import (
	"fmt"
	"slices"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

// managementPort is the managers' port (Docker's documentation, "Getting started with Swarm mode").
const managementPort = 2377

// ports returns the line that sets the ports in a script. It comes first in each script.
func ports() string {
	return fmt.Sprintf("MANAGEMENT_PORT=%d VXLAN_PORT=%d\n", managementPort, engine.VXLANPort)
}

// Traffic returns the rules for traffic between the cluster's parts. Containers send none of it.
func Traffic(s settings.Settings) []infra.Rule {
	nodes := infra.AllNodes()
	managers := infra.Group{Name: "manager", Description: "Swarm managers, from the nodes"}
	for _, node := range s.Managers {
		if !slices.Contains(managers.Roles, node.Role) {
			managers.Roles = append(managers.Roles, node.Role)
		}
	}
	return append([]infra.Rule{
		{Name: "swarm-management", To: managers, From: &nodes, Protocol: infra.TCP, Port: managementPort, Why: "swarm management, from the nodes"},
	}, engine.OverlayTraffic()...)
}
