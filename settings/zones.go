package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"swarm-scale/topology"
)

// mostZones is how many zones there are, where there are several. With two, the loss of the one with more managers would stop the swarm.
const mostZones = 3

// zones reads over how many zones the nodes are spread.
func (r *reader) zones(cluster Cluster) int {
	value := r.text(keyZones)
	switch {
	case value == "1":
	case value != strconv.Itoa(mostZones):
		r.fault(keyZones, value, OutOfRange, "is not 1 or 3", "set it to 3, of which one may be lost, or to 1. Of two, one has most of the swarm's managers, which stops without it")
	case cluster == Standalone:
		r.fault(keyZones, value, Conflict, "is for swarm mode: what the loss of a zone does to the walk-through's cluster was never tried", "leave it out, or set %s to %s", keyCluster, SwarmMode)
	default:
		return mostZones
	}
	return 1
}

// spread reports what would be lost with one zone although there are several: a zone without a frontend, one manager, and nodes of a role
// that are all together.
//
// With a frontend in each zone two are left without any zone, so that a vote has its two copies. And there is a node for each manager.
func (r *reader) spread(s Settings) {
	if s.Zones == 1 || len(s.Nodes) == 0 {
		return
	}
	names, zones := map[topology.Role][]string{}, map[topology.Role][]int{}
	for _, node := range s.Nodes {
		names[node.Role] = append(names[node.Role], node.Name)
		if !slices.Contains(zones[node.Role], node.Zone) {
			zones[node.Role] = append(zones[node.Role], node.Zone)
		}
	}
	if len(zones[topology.Frontend]) < s.Zones {
		r.fault(keyZones, r.text(keyZones), Conflict, fmt.Sprintf("needs a frontend in each zone, and there is one in %d of them", len(zones[topology.Frontend])),
			"set %s to %d or more, with platform %s one in each zone, or leave %s out", keyFrontends, s.Zones, Hosts, keyZones)
	}
	if len(s.Managers) == 1 {
		r.fault(keyManagers, r.text(keyManagers), Conflict, "is lost with its zone, and without it nothing that crashes comes back", "leave it out, or set %s to 1", keyZones)
	}
	for _, spec := range topology.Roles() {
		if together := names[spec.Role]; spec.Role != topology.Frontend && len(together) > 1 && len(zones[spec.Role]) == 1 {
			r.fault(keyHosts, "", Conflict, fmt.Sprintf("has %s in one zone, where they are lost together", strings.Join(together, ", ")), "set the zone of one of them to another")
		}
	}
}
