package e2e

import (
	"math/rand/v2"
	"time"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

const (
	// lostFor is how long a lost machine is watched before somebody puts an empty one in its place.
	lostFor = 20 * time.Second
	// resultsAway is how long the results may be away after a loss.
	resultsAway = time.Minute
)

// twoCopies gives the running poll a third frontend, a second worker, a second load balancer and a second copy of each vote. Then it loses each
// of these machines under load, at a random moment, with its disk. No acknowledged vote may be lost, and nobody has to do anything. `up` makes
// the machine anew. At last the stack goes back to what it was.
func twoCopies(s *step) {
	defer s.patiently()()
	s.ready()
	campaign := s.crowd()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 3, topology.Worker: 2, topology.LoadBalancer: 2}))
	s.resize()
	s.must(s.pulumi.Set(map[string]any{"voteCopies": 2}))
	result := s.up()
	s.await("everything to run", wellTime, s.well)
	seen := campaign.Stop()
	s.checked("1 → 2 copies of each vote, 2 → 3 frontends, 1 → 2 workers and load balancers on the running poll: `up` takes %.0f s; voters meanwhile: %s",
		result.Wall.Seconds(), seen)
	s.quiet("while the cluster grew", seen.Silence)
	s.settle()
	s.unchanged()

	s.balancers(s.T, "interlock", "interlock02")
	defer s.balancers(s.T, "interlock")
	for _, name := range []string{"frontend01", "frontend02", "frontend03", "worker01", "worker02", "interlock", "interlock02"} {
		s.loseUnderLoad(name)
	}
	s.balancers(s.T, "interlock")

	s.must(s.pulumi.Set(map[string]any{"frontends": 2, "workers": 1, "loadBalancers": 1, "voteCopies": 1}))
	s.up()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 2, topology.Worker: 1, topology.LoadBalancer: 1}))
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"]}))
	s.await("everything to be well", wellTime, s.well)
	s.settle()
	s.unchanged()
}

// loseUnderLoad loses a machine with its disk while voters vote. Every vote that was acknowledged has to be counted before anybody does
// something about it.
func (s *step) loseUnderLoad(name string) {
	s.Helper()
	host := s.lab.Host(name)
	campaign := s.crowd()
	time.Sleep(time.Second + rand.N(2*time.Second))
	s.must(host.Kill(s.ctx))
	lost := time.Now()
	time.Sleep(lostFor)
	seen := campaign.Stop().Since(lost)
	s.must(s.voters.Settle(s.ctx))
	took, err := s.voters.Books().AwaitResults(s.ctx, s.resultsURL(), resultsAway)
	if err != nil {
		s.Errorf("%s lost with its disk, and the results are not the voters' books: %v", name, err)
	}
	s.must(host.Recreate(s.ctx))
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"]}))
	begun := time.Now()
	if _, err := s.pulumi.Up(s.ctx); err != nil {
		s.Fatalf("%s lost, and `up` does not bring it back: %v", name, err)
	}
	up := time.Since(begun)
	s.await(name+" to be well again", wellTime, s.well)
	s.checked("%s lost with its disk: %.0f %% of the requests of the next %.0f s failed, longest time without a good answer %.2f s; every acknowledged vote is in the results, %.1f s after voters were sure; `up` makes it anew in %.0f s",
		name, 100*float64(seen.Bad)/float64(max(1, seen.Good+seen.Bad)), lostFor.Seconds(), seen.Silence.Seconds(), took.Seconds(), up.Seconds())
	s.unchanged()
}

// resize sets the stack's hosts and numbers of nodes to the lab's.
func (s *step) resize() {
	s.Helper()
	config := s.lab.Config()
	values := map[string]any{"hosts": config["hosts"]}
	for _, key := range settings.CountKeys() {
		values[key] = config[key]
	}
	s.must(s.pulumi.Set(values))
}
