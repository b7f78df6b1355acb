package app

import "swarm-scale/topology"

// KeepsData returns the roles whose workloads keep votes on volumes: the queues and the database.
func KeepsData() []topology.Role { return []topology.Role{topology.Frontend, topology.Store} }
