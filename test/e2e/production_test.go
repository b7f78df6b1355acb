package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"swarm-scale/lab"
	"swarm-scale/topology"
)

// productionCounts are the machines of the production stack: those of Pulumi.production.yaml.
func productionCounts() topology.Counts {
	return topology.Counts{topology.LoadBalancer: 2, topology.Frontend: 3, topology.Worker: 2, topology.Store: 2}
}

// baseVariable names the image of the database for the production stack. It has Patroni and etcd, because the lab's machines cannot look up names
// to install them, and is on this machine's engine.
const baseVariable = "POSTGRES_IMAGE"

// databaseBase returns that image.
func databaseBase() string { return cmp.Or(os.Getenv(baseVariable), "patroni:16") }

// lackingPatroni has a line if an image is not on this machine's engine with Patroni. Without an image there is nothing to lack.
func lackingPatroni(ctx context.Context, image string) []string {
	if image == "" {
		return nil
	}
	look := exec.CommandContext(ctx, "docker", "run", "--rm", "--network", "none", "--pull", "never", "--entrypoint", "sh", image, "-c",
		"for program in patroni etcd etcdctl curl; do command -v $program || exit 1; done")
	if output, err := look.CombinedOutput(); err != nil {
		return []string{fmt.Sprintf("the image %s with Patroni and etcd is not here (%v: %s): docs/lab.md has its Dockerfile; another one's name goes into the variable %s",
			image, err, strings.TrimSpace(string(output)), baseVariable)}
	}
	return nil
}

// oneOfEach brings up a stack that has each thing once: one manager, one store, one copy of each vote, one zone.
func oneOfEach(s *step) {
	config := s.lab.Config()
	for _, host := range config["hosts"].([]any) {
		delete(host.(map[string]any), "zone")
	}
	s.must(s.pulumi.Set(map[string]any{"hosts": config["hosts"], "zones": nil, "managers": "1"}))
	s.single = true
	result := s.up()
	s.await("everything to run", wellTime, s.well)
	s.checked("one manager, one store, one copy of each vote, one zone: `up` makes %d resources in %.0f s", result.Changes(), result.Wall.Seconds())
	s.vote(60)
}

// growsToProduction gives the running poll three zones, three managers, two of each load balancer, worker and store, three frontends and two
// copies of each vote, all in one `up`.
func growsToProduction(s *step) {
	defer s.patiently()()
	s.ready()
	before := s.identities()
	watch := s.watch()
	time.Sleep(time.Second)
	begun := time.Now()
	s.must(s.lab.Grow(s.ctx, productionCounts()))
	s.resize()
	s.must(s.pulumi.Set(map[string]any{"zones": 3, "managers": "3", "voteCopies": 2}))
	s.single = false
	result, err := s.pulumi.Up(s.ctx)
	if err != nil {
		watch.stop()
		s.Fatalf("%v\n(%.0f s)", err, result.Wall.Seconds())
	}
	s.balancers(s.T, "interlock", "interlock02")
	s.await("everything to run", wellTime, s.well)
	away := watch.resultsAway(begun)
	seen := watch.stop()
	s.checked("1 → 3 zones and managers, 1 → 2 stores, load balancers, workers and copies of each vote, 2 → 3 frontends in one `up` of %.0f s, %d changes; replaced: %v; voters meanwhile: %s; longest time without live results %.0f s",
		result.Wall.Seconds(), result.Changes(), s.replaced(before), seen, away.Seconds())
	s.quiet("while the poll grew", seen.Silence)
	s.settle()
	s.unchanged()
}

// eachMachineLost loses each machine with its disk, at a random moment under load.
func eachMachineLost(s *step) {
	defer s.longer(90 * time.Minute)()
	s.ready()
	for _, host := range s.lab.Hosts() {
		s.loseUnderLoad(host.Name, host.Name)
	}
}

// eachZoneLost loses all machines of a zone at the same instant, with their disks.
func eachZoneLost(s *step) {
	defer s.longer(60 * time.Minute)()
	s.ready()
	for zone := 1; zone <= 3; zone++ {
		names := s.inZone(zone)
		s.loseUnderLoad(fmt.Sprintf("zone %d (%s)", zone, strings.Join(names, ", ")), names...)
	}
}

// inZone returns the names of a zone's hosts.
func (s *step) inZone(zone int) []string {
	var names []string
	for _, host := range s.lab.Hosts() {
		if host.Zone == zone {
			names = append(names, host.Name)
		}
	}
	return names
}

// eachZoneCutOff cuts each zone off from the others for a minute. Voters reach all of them.
func eachZoneCutOff(s *step) {
	defer s.longer(60 * time.Minute)()
	s.ready()
	for zone := 1; zone <= 3; zone++ {
		s.disturb(fmt.Sprintf("zone %d cut off", zone), func() error { return s.lab.Cut(s.ctx, zone) }, func() error { return s.lab.Join(s.ctx, zone) })
	}
	s.unchanged()
}

// disturb does something to the poll for a minute, ends it, and waits until all is well by itself. Every vote has to be counted then.
func (s *step) disturb(what string, begin, end func() error) {
	s.Helper()
	watch := s.watch()
	time.Sleep(time.Second + rand.N(time.Second))
	begun := time.Now()
	s.must(begin())
	time.Sleep(time.Until(begun.Add(cutTime)))
	during := watch.cost(begun)
	s.must(end())
	back := time.Now()
	well := s.await("the system to be well after "+what, wellTime, s.well)
	after := watch.cost(back)
	watch.stop()
	s.checked("%s for %.0f s: %s; all well %.0f s after its end; meanwhile %.1f %% of the requests failed", what, cutTime.Seconds(), during, well.Seconds(), 100*share(after.early))
	s.settle()
}

// hung is a process that hangs for a minute.
type hung struct {
	what, host string
	workload   string // that it is in; empty: the engine
	process    string // its name; empty: all of the workload's
}

// eachProcessHung has each process hang for a minute: it keeps its connections and answers nothing.
func eachProcessHung(s *step) {
	defer s.longer(90 * time.Minute)()
	s.ready()
	for _, one := range []hung{
		{"the engine of a manager of the swarm", "manager", "", "dockerd"},
		{"the engine of a frontend", "frontend02", "", "dockerd"},
		{"a member of etcd", "manager", "etcd01", ""},
		{"the store that takes writes", "", "", ""},
		{"Patroni of the store that takes writes", "", "", "patroni"},
		{"Redis", "frontend01", "redis01", ""},
		{"web-vote-app", "frontend03", "frontend03", ""},
		{"vote-worker", "worker01", "worker01", ""},
		{"results-app", "store", "results-app", ""},
		{"HAProxy", "interlock02", "haproxy02", ""},
	} {
		if one.host == "" {
			one.host = s.primary()
			one.workload = "pg" + strings.TrimPrefix(one.host, "store")
		}
		host := s.lab.Host(one.host)
		s.disturb(one.what+" ("+one.host+") hangs", func() error { return s.hang(host, one) }, func() error {
			_, err := host.Run(s.ctx, "xargs kill -CONT </run/hung || true") // those that were killed meanwhile are not there
			return err
		})
	}
	s.unchanged()
}

// hang stops processes on a host. What starts in a workload that hangs, such as its health check, runs.
func (s *step) hang(host *lab.Host, one hung) error {
	find := "pgrep -x " + one.process
	if one.workload != "" {
		find = fmt.Sprintf(`space=$(readlink /proc/%d/ns/pid)
for process in /proc/[0-9]*; do
	if [ "$(readlink "$process/ns/pid")" = "$space" ]; then echo "${process#/proc/} $(cat "$process/comm")"; fi
done | sed -n 's/ %s$//p'`, s.container(host, one.workload).State.Pid, cmp.Or(one.process, ".*"))
	}
	_, err := host.Run(s.ctx, "("+find+") >/run/hung && [ -s /run/hung ] && xargs kill -STOP </run/hung")
	return err
}

// askEtcd returns the value of a key, by whichever member answers.
func (s *system) askEtcd(ctx context.Context, key string) (string, error) {
	var faults []error
	for i, node := range s.kind.etcd() {
		host := s.lab.Host(node.Name)
		found, err := s.containers(ctx, host)
		if member, ok := found["etcd"+topology.Suffix(i+1)]; ok && member.State.Running {
			var value string
			if value, err = host.Docker(ctx, "exec", member.ID, "etcdctl", "--command-timeout", "3s", "get", "--print-value-only", key); err == nil {
				return value, nil
			}
		}
		faults = append(faults, err)
	}
	return "", errors.Join(append(faults, errors.New("no member of etcd answers"))...)
}

// inStep returns an error unless another store has all that the one that takes writes has. Then that one can be lost.
func (s *system) inStep(ctx context.Context) error {
	if s.stores() == 1 {
		return nil
	}
	said, err := s.askEtcd(ctx, "/service/votes/sync")
	if err != nil {
		return err
	}
	var pair struct {
		Leader  string `json:"leader"`
		Standby string `json:"sync_standby"`
	}
	if err := json.Unmarshal([]byte(said), &pair); err != nil {
		return fmt.Errorf("etcd says of the stores in step %q: %w", said, err)
	}
	if pair.Leader == "" || pair.Standby == "" {
		return fmt.Errorf("no store is in step with the one that takes writes: %s", said)
	}
	return nil
}

// primary returns the host of the store that takes writes.
func (s *step) primary() string {
	s.Helper()
	var store string
	s.await("a store to take writes", wellTime, func() (err error) {
		if store, err = s.askEtcd(s.ctx, "/service/votes/leader"); err == nil && store == "" {
			err = errors.New("etcd names none")
		}
		return err
	})
	return "store" + strings.TrimPrefix(store, "pg")
}

// twoLosses loses a store, and then a frontend while `up` makes the store anew. The next `up` does the rest.
func twoLosses(s *step) {
	defer s.patiently()()
	s.ready()
	primary := s.primary()
	watch := s.watch()
	time.Sleep(time.Second)
	lost := time.Now()
	s.must(s.lab.Host(primary).Recreate(s.ctx))
	s.tellHosts()
	second := make(chan error, 1)
	begun := false
	s.lines.watch(func(line string) {
		if !begun && strings.Contains(line, " "+primary+"-") {
			begun = true
			go func() { second <- s.lab.Host("frontend02").Recreate(s.ctx) }()
		}
	})
	_, err := s.pulumi.Up(s.ctx)
	s.lines.watch(nil)
	if !begun {
		s.Errorf("`up` did nothing about %s", primary)
	} else {
		s.must(<-second)
	}
	first := "completes"
	if err != nil {
		first = "names the second loss"
		if !strings.Contains(err.Error(), "frontend02") {
			s.Errorf("`up` does not say what was lost meanwhile: %v", err)
		}
	}
	s.tellHosts()
	if _, err := s.pulumi.Up(s.ctx); err != nil {
		watch.stop()
		s.Fatalf("two losses, and the second `up` does not bring everything back: %v", err)
	}
	s.await("the system to be well after two losses", wellTime, s.well)
	cost := watch.cost(lost)
	watch.stop()
	s.checked("%s lost, and frontend02 while `up` made it anew: that `up` %s, the next one brings everything back; all the time: %s", primary, first, cost)
	s.settle()
	s.unchanged()
}

// eachMachineReplaced shuts down each machine in good order and puts an empty one in its place, while voters vote.
func eachMachineReplaced(s *step) {
	defer s.longer(90 * time.Minute)()
	s.ready()
	watch := s.watch()
	begun := time.Now()
	for _, host := range s.lab.Hosts() {
		s.must(host.Stop(s.ctx))
		s.must(host.Recreate(s.ctx))
		s.tellHosts()
		s.up()
		s.await(host.Name+" to be well again", wellTime, s.well)
	}
	cost := watch.cost(begun)
	seen := watch.stop()
	s.quiet("while every machine was replaced", seen.Silence)
	s.checked("all %d machines replaced by `up`, one after another, in %.0f s: %s; longest time without live results %.1f s", len(s.lab.Hosts()),
		time.Since(begun).Seconds(), seen, cost.results.Seconds())
	s.settle()
	s.unchanged()
}
