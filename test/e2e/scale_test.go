package e2e

import (
	"maps"
	"slices"
	"strings"
	"time"

	"swarm-scale/topology"
)

// moreAndFewer goes from two frontends to four and from one worker to two, and back, while voters vote.
func moreAndFewer(s *step) {
	s.ready()
	campaign := s.crowd()
	defer campaign.Stop()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 4, topology.Worker: 2}))
	s.resize()
	result := s.up()
	s.await("four frontends to answer", wellTime, s.well)
	s.checked("2 → 4 frontends and 1 → 2 workers: `up` takes %.0f s, and %s answer", result.Wall.Seconds(), strings.Join(s.frontends(), ", "))
	s.balanced(4)
	time.Sleep(2 * time.Second)

	s.must(s.pulumi.Set(map[string]any{"frontends": 2, "workers": 1}))
	result = s.up()
	for _, name := range []string{"frontend03", "frontend04", "worker02"} {
		left, err := s.containers(s.ctx, s.lab.Host(name))
		s.must(err)
		if len(left) > 0 {
			s.Errorf("%s has left the stack, and still has %v", name, slices.Sorted(maps.Keys(left)))
		}
	}
	// The machines go only now, because `up` drains their queues first.
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 2, topology.Worker: 1}))
	s.tellHosts()
	s.await("two frontends to answer", wellTime, s.well)
	seen := campaign.Stop()
	s.checked("4 → 2 and 2 → 1: `up` takes %.0f s; voters all the time: %s", result.Wall.Seconds(), seen)
	s.quiet("while the cluster grew and shrank", seen.Silence)
	s.balanced(2)
	s.settle()
	s.unchanged()
}

// balanced checks that the load balancer sends voters to that many frontends, and to each at least half of its share.
func (s *step) balanced(frontends int) {
	s.Helper()
	const looks = 80
	seen := s.voters.Look(s.ctx, looks)
	if len(seen.Containers) != frontends {
		s.Errorf("the load balancer sends voters to %v, want %d frontends", seen.Containers, frontends)
	}
	for name, answers := range seen.Containers {
		if answers < looks/frontends/2 {
			s.Errorf("%s answered %d of %d voters", name, answers, looks)
		}
	}
	s.checked("the load balancer distributes %d visits: %v", looks, seen.Containers)
}
