package settings

import (
	"fmt"
	"slices"
	"strconv"

	"swarm-scale/topology"
)

const (
	// defaultManagers is how many managers a swarm has if nobody sets it. One of them may be lost.
	defaultManagers = 3
	// etcdMembers is how many parts etcd has, where there are several stores.
	etcdMembers = 3
)

// managers chooses the nodes that manage the cluster, count of them. Those of the walk-through's cluster do nothing else.
func (r *reader) managers(s Settings, count int) []topology.Node {
	if s.Cluster == Standalone {
		return slices.DeleteFunc(slices.Clone(s.Nodes), func(node topology.Node) bool { return node.Role != topology.Manager })
	}
	chosen := topology.Managers(s.Nodes, count, s.Zones)
	if len(s.Nodes) == 0 || len(chosen) == count || count <= defaultManagers { // of so few, spread has the fault
		return chosen
	}
	inZones := ""
	if s.Zones > 1 {
		inZones = fmt.Sprintf(" at most %d in a zone, so that most are left when it is lost,", count/2)
	}
	store := ", store"
	if !s.HasStores() {
		store = ""
	}
	problem := fmt.Sprintf("needs %d nodes to choose from,%s and there are %d: manager, worker01%s and each frontend", count, inZones, len(chosen), store)
	remedy := fmt.Sprintf("set %s to %d or more, or", keyFrontends, frontendsFor(s, count))
	if s.Platform == Hosts && s.Zones > 1 {
		remedy = "have two of these machines in each of two zones, and one in the third, or set"
	}
	r.fault(keyManagers, strconv.Itoa(count), Conflict, problem, "%s %s to %d", remedy, keyManagers, defaultManagers)
	return chosen
}

// managerCount reads how many nodes manage the cluster.
func (r *reader) managerCount(cluster Cluster) int {
	value := r.text(keyManagers)
	switch {
	case value == "" && cluster == Standalone:
		return 1
	case value == "":
		return defaultManagers
	case value != "1" && value != "3" && value != "5": // an even number stands no more losses than the odd one below it
		r.fault(keyManagers, value, OutOfRange, "is not 1, 3 or 5",
			"set it to 3, of which one may be lost, to 5, of which two may be, or to 1")
		return defaultManagers
	case value == "5" && cluster == Standalone:
		r.fault(keyManagers, value, Conflict, "is for swarm mode: the walk-through's cluster has one manager or three", "set it to 3 or 1, or set %s to %s", keyCluster, SwarmMode)
		return defaultManagers
	}
	count, _ := strconv.Atoi(value)
	return count
}

// frontendsFor returns how many frontends give a swarm that many managers, if the address plan spreads them over the zones.
func frontendsFor(s Settings, count int) int {
	for frontends := topology.Count(s.Nodes, topology.Frontend); ; frontends++ {
		if len(topology.Managers(topology.Names(topology.Counts{topology.Frontend: frontends, topology.Store: s.Stores()}, s.Zones), count, s.Zones)) == count {
			return frontends
		}
	}
}

// EtcdNodes are the nodes that have a part of etcd, where there are several stores: the first three managers, also of five. So more or fewer
// managers touch none of these parts. In three zones each is in another one. The managers of the walk-through's cluster are not on the network; there
// the first worker, store and frontend have a part.
func (s Settings) EtcdNodes() []topology.Node {
	nodes := s.Managers
	if s.Cluster == Standalone {
		nodes = topology.Managers(slices.DeleteFunc(slices.Clone(s.Nodes), func(node topology.Node) bool { return node.Role == topology.Manager }), etcdMembers, s.Zones)
	}
	return nodes[:min(len(nodes), etcdMembers)]
}
