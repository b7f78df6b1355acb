package e2e

import (
	"errors"
	"math/rand/v2"
	"time"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// lostFor is how long a lost machine is watched at least before somebody puts an empty one in its place.
const lostFor = 20 * time.Second

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
		s.loseUnderLoad(name, name)
	}
	s.balancers(s.T, "interlock")

	s.must(s.pulumi.Set(map[string]any{"frontends": 2, "workers": 1, "loadBalancers": 1, "voteCopies": 1}))
	s.up()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 2, topology.Worker: 1, topology.LoadBalancer: 1}))
	s.tellHosts()
	s.await("everything to be well", wellTime, s.well)
	s.settle()
	s.unchanged()
}

// loseUnderLoad loses machines at the same instant with their disks, while voters vote. Every vote that was acknowledged has to be counted
// before anybody does something about it. Then `up` makes the machines anew.
func (s *step) loseUnderLoad(what string, names ...string) {
	s.Helper()
	watch := s.watch()
	time.Sleep(time.Second + rand.N(2*time.Second))
	s.must(each(names, func(name string) error { return s.lab.Host(name).Kill(s.ctx) }))
	lost := time.Now()
	time.Sleep(lostFor)
	_, err := s.wait(resultsPatience-lostFor, func() error { // the results may take longer than the voting
		results, err := s.voters.ReadResults(s.ctx, s.results())
		if err == nil && !results.Live {
			err = errors.New("the results are not live")
		}
		return err
	})
	cost := watch.cost(lost)
	watch.stop()
	if err != nil {
		s.Errorf("%s lost: %v", what, err)
	}
	s.must(s.voters.Settle(s.ctx))
	took, err := s.voters.AwaitResults(s.ctx, s.results(), resultsPatience)
	if err != nil {
		s.Errorf("%s lost with its disk, and the results are not the voters' books: %v", what, err)
	}
	s.kept(what, cost)
	for _, name := range names {
		s.must(s.lab.Host(name).Recreate(s.ctx))
	}
	s.tellHosts()
	begun := time.Now()
	if _, err := s.pulumi.Up(s.ctx); err != nil {
		s.Fatalf("%s lost, and `up` does not bring it back: %v", what, err)
	}
	up := time.Since(begun)
	s.await(what+" to be well again", wellTime, s.well)
	s.checked("%s lost with its disk: %s; every acknowledged vote is in the results, %.1f s after voters were sure; `up` makes it anew in %.0f s",
		what, cost, took.Seconds(), up.Seconds())
	s.unchanged()
}

// tellHosts sets the stack's hosts to the lab's. One that was made anew has another host key.
func (s *step) tellHosts() {
	s.Helper()
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"]}))
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
