package e2e

import (
	"cmp"
	"math/rand/v2"
	"time"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// twoStores gives the running poll of the walk-through's cluster a second store. Then it loses each of the two with its disk, and cuts the power of
// the one that takes writes, which comes back. At last it destroys the stack, because from two stores there is no way back to one.
func twoStores(s *step) {
	image, _ := s.lab.Config()["postgresImage"].(string) // the lab names another one than the default
	if lines := lackingPatroni(s.ctx, cmp.Or(image, settings.Default("postgresImage"))); len(lines) > 0 {
		s.Skipf("missing: %s", lines[0])
	}
	defer s.patiently()()
	s.ready()
	watch := s.watch()
	begun := time.Now()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Store: 2}))
	s.resize()
	result := s.up()
	s.await("everything to run", wellTime, s.well)
	cost := watch.cost(begun)
	seen := watch.stop()
	s.checked("1 → 2 stores on the running poll: `up` takes %.0f s; %s; voters meanwhile: %s", result.Wall.Seconds(), cost, seen)
	s.settle()
	s.unchanged()

	for _, name := range []string{"store", "store02"} {
		s.loseUnderLoad(name, name)
	}

	primary := s.lab.Host(s.primary())
	watch = s.watch()
	time.Sleep(time.Second + rand.N(2*time.Second))
	s.must(primary.Kill(s.ctx))
	lost := time.Now()
	time.Sleep(resultsPatience)
	s.must(primary.Start(s.ctx))
	took := s.await("everything to be well again", wellTime, s.well)
	cost = watch.cost(lost)
	watch.stop()
	s.kept(primary.Name+" off for a minute", cost)
	s.checked("%s, which takes writes, off for %.0f s: %s; all well by itself %.0f s after its return", primary.Name, resultsPatience.Seconds(), cost, took.Seconds())
	s.settle()
	s.unchanged()

	s.destroyFrom(s.lab.Hosts())
	s.voters.Forget()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Store: 1}))
	s.resize()
}
