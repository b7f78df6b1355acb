package app

import (
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// How much memory the workloads may use, in MiB.
const (
	balancerMemory = 768 // a connection to HAProxy takes up to 33 KB; its template has the number of connections
	webMemory      = 256
	queueMemory    = 656 // beyond redisMemory, for its buffers and for what changes while it rewrites its file
	workerMemory   = 512
	databaseMemory = 1024
	etcdMemory     = 256
	resultsMemory  = 512
	// besideWorker is the results page's on a worker's machine, which may be a t2.micro.
	besideWorker = 384
)

// memoryOfResults returns how much memory the results page may use. A thousand viewers take 44 of it (docs/performance.md).
func memoryOfResults(s settings.Settings) int {
	if s.HasStores() {
		return resultsMemory
	}
	return besideWorker
}

// Memory returns how much memory the workloads on a node of each role may use, in MiB.
func Memory(s settings.Settings) map[topology.Role]int {
	memory := map[topology.Role]int{
		topology.LoadBalancer: balancerMemory,
		topology.Frontend:     webMemory + queueMemory,
		topology.Worker:       workerMemory,
		topology.Store:        databaseMemory,
	}
	memory[roleOfResults(s)] += memoryOfResults(s)
	if s.Stores() > 1 {
		// A role may have several of the nodes.
		roles := map[topology.Role]bool{}
		for _, node := range s.EtcdNodes() {
			roles[node.Role] = true
		}
		for role := range roles {
			memory[role] += etcdMemory
		}
	}
	return memory
}
