package app

import (
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Ports at which nodes publish workloads.
const (
	httpPort     = 80   // the vote page on load balancers, the results page on its nodes
	frontendPort = 5000 // the web container on frontends
)

// Traffic returns the rules for traffic to the application's workloads from other nodes and from outside. Workloads on the
// cluster's network need no rule to reach each other.
func Traffic(s settings.Settings) []infra.Rule {
	balancers := infra.Group{Name: "vote-page", Description: "Vote page, from anywhere", Roles: []topology.Role{topology.LoadBalancer}}
	frontends := infra.Group{Name: "frontends", Description: "Web containers, from the load balancer", Roles: []topology.Role{topology.Frontend}}
	results := infra.Group{Name: "results-page", Description: "Results page, from anywhere", Roles: []topology.Role{roleOfResults(s)}}
	return []infra.Rule{
		{Name: "vote-page", To: balancers, Protocol: infra.TCP, Port: httpPort, ReadyPath: readyPath, Why: "vote page"},
		{Name: "web-containers", To: frontends, From: &balancers, Containers: &balancers, Protocol: infra.TCP, Port: frontendPort, Why: "web containers, from the load balancer"},
		{Name: "results-page", To: results, Protocol: infra.TCP, Port: httpPort, Why: "results page"},
	}
}
