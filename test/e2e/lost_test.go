package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
)

// hostsLost recreates hosts empty, one after another. `pulumi up` has to bring back what was on them, and nothing else.
func hostsLost(s *step) {
	s.ready()
	for _, name := range []string{"frontend02", "worker01", "interlock", "store"} {
		s.lose(name)
	}
	s.unchanged()
}

// lose recreates one host empty and runs `pulumi up`.
func (s *step) lose(name string) {
	s.Helper()
	host := s.lab.Host(name)
	before := s.identities()
	// A frontend's queue is lost with its disk. Here it is empty, because every vote is counted.
	s.must(host.Recreate(s.ctx))
	s.tellHosts()
	if name == "store" {
		s.voters.Forget() // the only database is lost with its disk
	}
	begun := time.Now()
	result, err := s.pulumi.Up(s.ctx)
	if err != nil {
		s.Errorf("%s lost, and `up` does not bring it back: %v", name, err)
		return
	}
	took := time.Since(begun)
	s.await(name+" to be well again", wellTime, s.well)
	if elsewhere := slices.DeleteFunc(s.replaced(before), func(one string) bool { return strings.HasPrefix(one, name+"/") }); len(elsewhere) > 0 {
		s.Errorf("%s lost, and `up` replaced containers on other hosts: %v", name, elsewhere)
	}
	s.checked("%s lost and recreated empty: `up` brought it back and nothing else, in %.0f s, %d changes", name, took.Seconds(), result.Changes())
	seen := s.voters.Vote(s.ctx, 60)
	if seen.Bad > 0 {
		s.Errorf("votes are refused after %s came back: %s", name, seen)
	}
	s.settle()
}

// consulLost deletes Consul's data and recovers as documented. Every engine restarts, because it caches the data. Then the overlay
// network is replaced, and with it the containers on it. Until then voting goes on.
func consulLost(s *step) {
	s.ready()
	manager := s.lab.Host("manager")
	campaign := s.crowd()
	s.run(manager, `docker() { DOCKER_HOST=unix:///var/run/docker.sock command docker "$@"; }
docker stop consul && rm -rf "$(docker volume inspect --format '{{.Mountpoint}}' consul-data)"/* && docker start consul`)
	time.Sleep(5 * time.Second)
	without := campaign.Now()
	if without.Bad > 0 {
		s.Errorf("votes fail while Consul is empty: %s", without)
	}
	begun := time.Now()
	result, err := s.pulumi.Up(s.ctx, optup.Replace([]string{s.urn("command:remote:Command", "consul")}))
	took := time.Since(begun)
	seen := campaign.Stop()
	s.must(err)
	s.await("everything to be well", wellTime, s.well)
	s.checked("Consul's data lost: voting goes on (%s); `up --replace` of Consul restarts engines and replaces the network: %d changes in %.0f s; all the time: %s",
		without, result.Changes(), took.Seconds(), seen)
	s.settle()
	s.unchanged()
}

// urn returns the URN of a resource in the state.
func (s *step) urn(token, name string) string {
	s.Helper()
	state, err := s.pulumi.State()
	s.must(err)
	for _, one := range state.Resources {
		if string(one.Type) == token && one.URN.Name() == name {
			return string(one.URN)
		}
	}
	s.Fatalf("the state has no %s named %s", token, name)
	return ""
}

// managerLost recreates the manager's host empty. In the walk-through's cluster Consul's data is lost with it, so the network and its
// containers are replaced.
func managerLost(s *step) {
	s.ready()
	manager := s.lab.Host("manager")
	campaign := s.crowd()
	s.must(manager.Recreate(s.ctx))
	s.tellHosts()
	begun := time.Now()
	result, err := s.pulumi.Up(s.ctx)
	took := time.Since(begun)
	seen := campaign.Stop()
	if err != nil {
		s.Fatalf("the manager lost, and `up` does not bring it back within %.0f s: %v", took.Seconds(), err)
	}
	s.await("everything to be well", wellTime, s.well)
	s.checked("manager lost and recreated empty, %s: `up` brought everything back in %.0f s, %d changes; voters meanwhile: %s",
		s.kind.facts().manager, took.Seconds(), result.Changes(), seen)
	s.settle()
	s.unchanged()
}

// majorityLost loses two of three managers of a swarm at the same instant, with their disks. The swarm takes no orders, and its containers
// run on. The third manager makes a swarm of one out of what it knows, as documented; `up` does the rest.
func majorityLost(s *step) {
	s.ready()
	campaign := s.crowd()
	lost := []string{"manager", "worker01"}
	s.must(each(lost, func(name string) error { return s.lab.Host(name).Kill(s.ctx) }))
	begun := time.Now()
	time.Sleep(20 * time.Second)
	if _, err := s.kind.ready(s.ctx); err == nil {
		s.Error("the swarm takes orders without a majority")
	}
	without := campaign.Now().Since(begun)
	s.quiet("while the swarm had no majority", without.Silence)
	for _, name := range lost {
		s.must(s.lab.Host(name).Recreate(s.ctx))
	}
	s.tellHosts()
	store := s.lab.Host("store")
	before := s.identities()
	s.run(store, "docker swarm init --force-new-cluster --advertise-addr "+store.Address)
	began := time.Now()
	result, err := s.pulumi.Up(s.ctx)
	took := time.Since(began)
	if err != nil {
		campaign.Stop()
		s.Fatalf("two of three managers lost, and `up` does not bring them back within %.0f s: %v", took.Seconds(), err)
	}
	s.await("everything to be well", wellTime, s.well)
	seen := campaign.Stop()
	elsewhere := slices.DeleteFunc(s.replaced(before), func(one string) bool {
		return strings.HasPrefix(one, "worker01/") || strings.HasPrefix(one, "manager/")
	})
	s.checked("two of three managers lost: votes are taken all the time; after `docker swarm init --force-new-cluster` on the third, `up` brings the others back in %.0f s, %d changes; replaced elsewhere: %v; voters: %s",
		took.Seconds(), result.Changes(), elsewhere, seen)
	s.settle()
	s.unchanged()
}
