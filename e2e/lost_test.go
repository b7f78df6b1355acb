package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// hostsLost recreates hosts empty, one after another, and has `pulumi up` put everything of theirs back, and nothing else.
func hostsLost(s *step) {
	s.ready()
	for _, name := range []string{"frontend02", "worker01", "interlock", "store"} {
		s.lose(name)
	}
	s.unchanged()
}

// lose replaces a host by an empty machine at the same address and brings it back by `pulumi up`.
func (s *step) lose(name string) {
	s.Helper()
	host := s.lab.Host(name)
	before := s.identities()
	s.must(host.Recreate(s.ctx))
	s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"]}))
	if name == "store" {
		s.voters.Forget() // its disk is gone, and with it the votes: there is one database
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
		s.Errorf("%s lost, and `up` made anew what is on other hosts: %v", name, elsewhere)
	}
	s.checked("%s lost and recreated empty: `up` brought it back and nothing else, in %.0f s, %d changes", name, took.Seconds(), result.Changes())
	seen := s.voters.Vote(s.ctx, 60)
	if seen.Bad > 0 {
		s.Errorf("votes are refused after %s came back: %s", name, seen)
	}
	s.settle()
}

// consulLost empties Consul's data, so that the overlay network, which is kept there, is unknown, and goes the documented
// way back: pulumi up --refresh.
func consulLost(s *step) {
	s.ready()
	manager := s.lab.Host("manager")
	campaign := s.voters.Start(s.ctx, 6, 30*time.Millisecond)
	_, err := manager.Run(s.ctx, `docker() { DOCKER_HOST=unix:///var/run/docker.sock command docker "$@"; }
docker stop consul && rm -rf "$(docker volume inspect --format '{{.Mountpoint}}' consul-data)"/* && docker start consul`)
	s.must(err)
	time.Sleep(5 * time.Second)
	without := campaign.Now()
	if without.Bad > 0 {
		s.Errorf("votes fail while Consul is empty: %s", without)
	}
	begun := time.Now()
	result, err := s.pulumi.Up(s.ctx, optup.Refresh())
	took := time.Since(begun)
	seen := campaign.Stop()
	s.must(err)
	s.await("everything to be well", wellTime, s.well)
	s.checked("Consul's data lost: voting goes on (%s); `up --refresh` makes the network and the %d containers on it anew in %.0f s; all the time: %s",
		without, len(result.Names(apitype.OpCreateReplacement)), took.Seconds(), seen)
	s.settle()
	s.unchanged()
}
