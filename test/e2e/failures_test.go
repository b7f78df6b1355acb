package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"swarm-scale/lab"
	"swarm-scale/test/eventually"
	"swarm-scale/topology"
)

// containersKilled kills every container once, including the cluster's own, while voters vote.
func containersKilled(s *step) {
	s.ready()
	campaign := s.crowd()
	killed := 0
	var slowest time.Duration
	slowestName := ""
	for _, host := range s.lab.Hosts() {
		for _, name := range s.expected()[host.Name] {
			begun := time.Now()
			back := s.killContainer(host, name)
			killed++
			if back > slowest {
				slowest, slowestName = back, name
			}
			// All voters need the one load balancer. Of Redis and the web containers there are two, and the next one is killed only when
			// this one is used again.
			s.await(name+" to be healthy", 30*time.Second, func() error {
				if missing := s.missing(s.ctx, host, []string{name}); len(missing) > 0 {
					return errors.New("it is not")
				}
				return nil
			})
			time.Sleep(2 * time.Second)
			seen := campaign.Now().Since(begun)
			allowed := shortSilence
			if host.Role == topology.LoadBalancer {
				allowed = 5 * time.Second
			}
			if seen.Silence > allowed {
				s.Errorf("after %s was killed, no voter got a good answer for %.2f s, want %.0f s at most: %s", name, seen.Silence.Seconds(), allowed.Seconds(), seen)
			}
			s.Logf("%s killed, runs again after %.1f s: %s", name, back.Seconds(), seen)
		}
	}
	seen := campaign.Stop()
	s.checked("%d containers killed one after another, each back by itself, the slowest (%s) after %.1f s", killed, slowestName, slowest.Seconds())
	s.checked("meanwhile: %s", seen)
	s.await("everything to be well", wellTime, s.well)
	s.settle()
}

// killContainer kills a container's first process, as a crash would, and waits until the engine has started another one. After docker
// kill, the engine would not restart the container.
func (s *step) killContainer(host *lab.Host, name string) time.Duration {
	s.Helper()
	before := s.container(host, name).State
	s.run(host, fmt.Sprintf("kill -9 %d", before.Pid))
	return s.await(name+" on "+host.Name+" to be started again", 30*time.Second, func() error {
		found, err := s.containers(s.ctx, host)
		if now := found[name].State; err == nil && (!now.Running || now.Pid == before.Pid) {
			err = fmt.Errorf("its state is %+v, and was %+v", now, before)
		}
		return err
	})
}

// outage is what is predicted for a host that is off.
type outage struct {
	voting  bool // voting goes on
	results bool // the results page answers
	counts  bool // votes are counted meanwhile
	manager bool // the cluster takes orders
	text    string
}

// predicted is what both kinds of cluster predict.
var predicted = map[topology.Role]outage{
	topology.Manager:      {voting: true, results: true, counts: true, manager: true},
	topology.LoadBalancer: {voting: false, results: true, counts: true, manager: true, text: "no voting, the results are shown"},
	topology.Frontend:     {voting: true, results: true, counts: true, manager: true, text: "the other frontend answers"},
	topology.Worker:       {voting: true, results: true, counts: false, manager: true, text: "votes wait in Redis"},
	topology.Store:        {voting: true, results: false, counts: false, manager: true, text: "no results page, votes wait in Redis"},
}

// hostsStopped stops every host in turn, every other one by a power cut, and compares what fails with the prediction.
func hostsStopped(s *step) {
	s.ready()
	for i, host := range s.lab.Hosts() {
		s.outage(host, i%2 == 1)
	}
	s.unchanged()
}

// ordered returns an error unless the cluster takes orders. It may need a moment to choose another leader.
func (s *step) ordered() error {
	_, err := eventually.Wait(s.ctx, electionTime, func() error {
		_, err := s.kind.ready(s.ctx)
		return err
	})
	return err
}

// electionTime is how long a cluster with several managers may take no orders when its leader is gone.
const electionTime = 15 * time.Second

// outage takes one host down and up again, and checks what is predicted.
func (s *step) outage(host *lab.Host, powerCut bool) {
	s.Helper()
	want := s.kind.predicted(host.Role)
	campaign := s.crowd()
	time.Sleep(time.Second)
	begun := time.Now()
	how := "stopped"
	if powerCut {
		how = "power cut"
		s.must(host.Kill(s.ctx))
	} else {
		s.must(host.Stop(s.ctx))
	}
	off := time.Now()
	time.Sleep(2 * time.Second) // the load balancer has noticed by now
	noticed := time.Now()
	before, resultsBefore := s.voters.ReadResults(s.ctx, s.results())
	time.Sleep(3 * time.Second)
	seen := campaign.Now().Since(noticed)
	after, resultsAfter := s.voters.ReadResults(s.ctx, s.results())
	managerErr := s.ordered()

	fail := func(format string, arguments ...any) {
		s.Helper()
		s.Errorf("%s %s: %s", host.Name, how, fmt.Sprintf(format, arguments...))
	}
	if want.voting && seen.Bad > 0 {
		fail("votes fail 2 s after it is off: %s", seen)
	}
	if !want.voting && seen.Good > 0 {
		fail("votes are accepted: %s", seen)
	}
	if shown := resultsBefore == nil && resultsAfter == nil; shown != want.results {
		fail("results are shown: %v (%v, %v), want %v", shown, resultsBefore, resultsAfter, want.results)
	}
	if want.voting && want.results {
		if grown := after.Tally.Total() > before.Tally.Total(); grown != want.counts {
			fail("votes are counted meanwhile: %v (%d, then %d), want %v", grown, before.Tally.Total(), after.Tally.Total(), want.counts)
		}
	}
	if works := managerErr == nil; works != want.manager {
		fail("the cluster takes orders: %v (%v), want %v", works, managerErr, want.manager)
	}
	if host.Role == topology.Frontend {
		others := slices.DeleteFunc(s.frontends(), func(name string) bool { return name == host.Name })
		if got := slices.Sorted(maps.Keys(seen.Containers)); !slices.Equal(got, others) {
			fail("%v answer, want %v", got, others)
		}
	}
	s.must(host.Start(s.ctx))
	back := time.Now()
	well, err := s.wait(wellTime, s.well)
	if err != nil {
		campaign.Stop()
		s.Fatalf("%s %s: %s after its return the system is not well: %v", host.Name, how, wellTime, err)
	}
	whole := campaign.Now().Since(begun)
	campaign.Stop()
	if want.voting {
		s.quiet(fmt.Sprintf("%s %s:", host.Name, how), whole.Silence)
	}
	s.checked("%s %s (%.0f s until it was off, %.0f s off, all well %.0f s after its return): %s; %s", host.Name, how,
		off.Sub(begun).Seconds(), back.Sub(off).Seconds(), well.Seconds(), want.text, whole)
	s.settle()
}

// allHostsAtOnce cuts the power of every host at once, and starts all of them together.
func allHostsAtOnce(s *step) {
	s.ready()
	seen := s.voters.Vote(s.ctx, 60)
	s.all("off", (*lab.Host).Kill)
	begun := time.Now()
	s.all("on", (*lab.Host).Start)
	took := s.await("the system to be well by itself after the power of all hosts was cut", wellTime, s.well)
	if seen.Bad > 0 {
		s.Errorf("votes were refused before: %s", seen)
	}
	s.checked("the power of all %d hosts cut at once, and back: all well by itself after %.0f s (%.0f s since the first answered)", len(s.lab.Hosts()),
		time.Since(begun).Seconds(), took.Seconds())
	// Running containers do not prove that the network between them works. Votes do.
	if seen = s.voters.Vote(s.ctx, 60); seen.Bad > 0 {
		s.Errorf("votes are refused afterwards: %s", seen)
	}
	s.settle()
	s.unchanged()
}

// all does the same to every host, in parallel.
func (s *step) all(what string, do func(*lab.Host, context.Context) error) {
	s.Helper()
	s.must(each(s.lab.Hosts(), func(host *lab.Host) error {
		if err := do(host, s.ctx); err != nil {
			return fmt.Errorf("%s is not %s: %w", host.Name, what, err)
		}
		return nil
	}))
}

// each does the same with all of them, in parallel.
func each[T any](all []T, do func(T) error) error {
	var together errgroup.Group
	for _, one := range all {
		together.Go(func() error { return do(one) })
	}
	return together.Wait()
}
