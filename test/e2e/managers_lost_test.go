package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"swarm-scale/lab"
	"swarm-scale/topology"
)

const (
	// takeoverTime is how long the walk-through's cluster may take no orders when the primary of its Swarm managers is gone. Its replicas wait for
	// 20 s, and then choose another one.
	takeoverTime = 45 * time.Second
	// leaderTime is how long Consul may take no writes when its leader is gone.
	leaderTime = 15 * time.Second
)

// threeManagersLost gives the running poll two more managers. Then it loses each of the three with its disk, the primary of the Swarm managers,
// Consul's leader, and two of the three at once, while voters vote. At last it destroys the stack while a manager is off, because from three
// managers there is no way back to one.
func threeManagersLost(s *step) {
	defer s.patiently()()
	s.ready()
	before := s.identities()
	watch := s.watch()
	begun := time.Now()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Manager: 3}))
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"], "managers": 3}))
	result := s.up()
	s.await("everything to run", wellTime, s.well)
	cost := watch.cost(begun)
	seen := watch.stop()
	// The containers stay, and start anew with their engines. Consul and Swarm have other arguments.
	if made := slices.DeleteFunc(s.replaced(before), func(one string) bool {
		return strings.HasSuffix(one, "/consul") || strings.HasSuffix(one, "/swarm-manager") || strings.HasSuffix(one, "/swarm-agent")
	}); len(made) > 0 {
		s.Errorf("two more managers replace %v", made)
	}
	s.checked("1 → 3 managers on the running poll: `up` takes %.0f s, while every engine restarts once; %s; voters meanwhile: %s", result.Wall.Seconds(), cost, seen)
	s.settle()
	s.unchanged()

	managers := s.named(func(role topology.Role) bool { return role == topology.Manager })
	for _, name := range managers {
		s.loseUnderLoad(name, name)
	}
	s.primaryKilled(managers)
	s.leaderKilled(managers)
	s.twoManagersLost(managers)

	dead := s.lab.Host("manager03")
	s.must(dead.Kill(s.ctx))
	said := s.destroyFrom(slices.DeleteFunc(slices.Clone(s.lab.Hosts()), func(host *lab.Host) bool { return host == dead }))
	if !strings.Contains(said, dead.Name+" does not answer") {
		s.Errorf("`destroy` does not say that it skipped %s", dead.Name)
	}
	s.voters.Forget()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Manager: 1}))
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"], "managers": nil}))
}

// askConsul asks Consul on the first of the hosts that answers.
func (s *step) askConsul(hosts []string, path string) (string, error) {
	var answer string
	var err error
	for _, name := range hosts {
		if answer, err = s.lab.Host(name).Run(s.ctx, "curl -fsS --max-time 5 http://127.0.0.1:8500/v1/"+path); err == nil {
			return answer, nil
		}
	}
	return "", err
}

// at returns the name of the host that has an address: "192.168.33.11:8300", maybe in quotes.
func (s *step) at(address string) string {
	s.Helper()
	address, _, _ = strings.Cut(strings.Trim(address, "\"\n "), ":")
	for _, host := range s.lab.Hosts() {
		if host.Address == address {
			return host.Name
		}
	}
	s.Fatalf("no host has the address %q", address)
	return ""
}

// commanded returns an error unless a Swarm manager on one of the hosts takes orders. A replica passes them on to the primary.
func (s *step) commanded(hosts []string) error {
	var err error
	for _, name := range hosts {
		host := s.lab.Host(name)
		if _, err = host.Docker(s.ctx, "--host", "tcp://"+host.Address+":3375", "ps", "--quiet"); err == nil {
			return nil
		}
	}
	return err
}

// primaryKilled cuts the power of the primary of the Swarm managers. A replica takes its place, and `up` works before the host is back.
func (s *step) primaryKilled(managers []string) {
	s.Helper()
	address, err := s.askConsul(managers, "kv/docker/swarm/leader?raw")
	s.must(err)
	primary := s.at(address)
	others := slices.DeleteFunc(slices.Clone(managers), func(name string) bool { return name == primary })
	watch := s.watch()
	time.Sleep(time.Second + rand.N(2*time.Second))
	s.must(s.lab.Host(primary).Kill(s.ctx))
	lost := time.Now()
	took := s.await("a replica to take orders", takeoverTime, func() error { return s.commanded(others) })
	up := s.up()
	cost := watch.cost(lost)
	watch.stop()
	s.kept("the primary of the Swarm managers lost", cost)
	s.checked("%s, the primary of the Swarm managers, lost: orders are taken again after %.1f s, `up` while it is off takes %.0f s; %s", primary, took.Seconds(), up.Wall.Seconds(), cost)
	s.unchanged()
	s.must(s.lab.Host(primary).Start(s.ctx))
	s.await("everything to be well", wellTime, s.well)
	s.up() // asks the first manager again
	s.unchanged()
	s.settle()
}

// leaderKilled cuts the power of the host of Consul's leader. The other two choose another one.
func (s *step) leaderKilled(managers []string) {
	s.Helper()
	address, err := s.askConsul(managers, "status/leader")
	s.must(err)
	leader := s.at(address)
	const write = "curl -fsS --max-time 2 -X PUT --data x http://127.0.0.1:8500/v1/kv/e2e"
	watch := s.watch()
	time.Sleep(time.Second + rand.N(2*time.Second))
	s.must(s.lab.Host(leader).Kill(s.ctx))
	lost := time.Now()
	took := s.await("Consul to take writes through an agent", leaderTime, func() error {
		_, err := s.lab.Host("frontend01").Run(s.ctx, write)
		return err
	})
	time.Sleep(max(0, lostFor-time.Since(lost)))
	cost := watch.cost(lost)
	watch.stop()
	s.kept("Consul's leader lost", cost)
	s.checked("%s, with Consul's leader, lost: an agent's writes are taken again after %.1f s; %s", leader, took.Seconds(), cost)
	s.must(s.lab.Host(leader).Start(s.ctx))
	s.await("everything to be well", wellTime, s.well)
	s.up()
	s.unchanged()
	s.settle()
}

// twoManagersLost loses two of three managers at the same instant: first their power, and they come back by themselves. Then their disks, too,
// and `up` brings them back. If Consul has no majority then, the third one becomes the only server, as documented, and `up` goes on.
func (s *step) twoManagersLost(managers []string) {
	s.Helper()
	lost, left := managers[:2], managers[2:]
	kill := func() time.Time {
		s.Helper()
		s.must(each(lost, func(name string) error { return s.lab.Host(name).Kill(s.ctx) }))
		return time.Now()
	}
	orders := func() error {
		if err := s.commanded(managers); err != nil {
			return err
		}
		leader, err := s.askConsul(managers, "status/leader")
		if err == nil && !strings.Contains(leader, ":") {
			err = errors.New("Consul has no leader")
		}
		return err
	}
	watch := s.watch()
	at := kill()
	time.Sleep(lostFor)
	if leader, err := s.askConsul(left, "status/leader"); err == nil && strings.Contains(leader, ":") {
		s.Errorf("Consul has the leader %s without a majority", leader)
	}
	s.must(each(lost, func(name string) error { return s.lab.Host(name).Start(s.ctx) }))
	back := s.await("the managers to take orders", wellTime, orders)
	s.await("everything to be well", wellTime, s.well)
	cost := watch.cost(at)
	watch.stop()
	s.kept("two of three managers off", cost)
	s.checked("two of three managers off: they take orders %.1f s after their hosts are back; %s", back.Seconds(), cost)
	s.settle()

	before := s.identities()
	watch = s.watch()
	at = kill()
	for _, name := range lost {
		s.must(s.lab.Host(name).Recreate(s.ctx))
	}
	s.tellHosts()
	begun := time.Now()
	how := "`up` brings them back"
	if _, err := s.pulumi.Up(s.ctx); err != nil {
		how = fmt.Sprintf("`up` fails (%.200s); after peers.json on the third it brings them back", err)
		third := s.lab.Host(left[0])
		s.run(third, `docker() { DOCKER_HOST=unix:///var/run/docker.sock command docker "$@"; }
docker stop consul
data=$(docker volume inspect --format '{{.Mountpoint}}' consul-data)
echo "[{\"id\": \"$(cat "$data/node-id")\", \"address\": \"`+third.Address+`:8300\"}]" >"$data/raft/peers.json"
docker start consul`)
		s.up()
	}
	took := time.Since(begun)
	s.await("everything to be well", wellTime, s.well)
	cost = watch.cost(at)
	watch.stop()
	if elsewhere := slices.DeleteFunc(s.replaced(before), func(one string) bool {
		return slices.ContainsFunc(lost, func(name string) bool { return strings.HasPrefix(one, name+"/") })
	}); len(elsewhere) > 0 {
		s.Errorf("two of three managers lost, and `up` replaced containers on other hosts: %v", elsewhere)
	}
	s.kept("two of three managers lost", cost)
	s.checked("two of three managers lost with their disks: %s in %.0f s; %s", how, took.Seconds(), cost)
	s.settle()
	s.unchanged()
}
