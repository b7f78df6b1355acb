package e2e

import (
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/lab"
	"swarm-scale/test/harness"
)

// upFromNothing brings the stack up on fresh hosts, and checks everything that the walk-through asks for.
func upFromNothing(s *step) {
	preview, err := s.pulumi.Preview(s.ctx)
	s.must(err)
	result := s.up()
	s.upTook = result.Wall
	if result.Counts[apitype.OpCreate] != preview.Counts[apitype.OpCreate] {
		s.Errorf("the preview announced %d resources, `up` made %d", preview.Counts[apitype.OpCreate], result.Counts[apitype.OpCreate])
	}
	state, err := s.pulumi.State()
	s.must(err)
	s.chain = harness.LongestChainOfSteps(state, result.Steps)
	s.checked("`up` made %d resources on fresh hosts in %.0f s", result.Counts[apitype.OpCreate], result.Wall.Seconds())
	s.await("everything to run", wellTime, s.well)

	facts := s.kind.facts()
	ready, err := s.kind.ready(s.ctx)
	s.must(err)
	s.checked("%s lists %d nodes that work: %s", facts.node, len(ready), strings.Join(ready, ", "))

	networks := map[string]bool{}
	for _, name := range s.kind.members() {
		host := s.lab.Host(name)
		id, err := host.Docker(s.ctx, "network", "inspect", "--format", "{{.Driver}} {{.ID}}", "mynet")
		if err != nil || !strings.HasPrefix(id, "overlay ") {
			s.Errorf("mynet on %s is %q (%v), want an overlay network", host.Name, id, err)
		}
		networks[id] = true
	}
	if len(networks) != 1 {
		s.Errorf("the members have several networks: %v", slices.Sorted(maps.Keys(networks)))
	}
	s.checked("mynet is one and the same overlay network on %d engines", len(s.kind.members()))

	total, engines := 0, map[string]bool{}
	for _, host := range s.lab.Hosts() {
		found, err := s.containers(s.ctx, host)
		s.must(err)
		want := s.expected()[host.Name]
		for name := range found {
			if !slices.Contains(want, name) {
				s.Errorf("%s runs on %s, where it does not belong", name, host.Name)
			}
		}
		for _, name := range want {
			total++
			s.inspect(host, name, found[name])
		}
		version, err := host.Docker(s.ctx, "version", "--format", "{{.Server.Version}}")
		s.must(err)
		engines[version] = true
		if !strings.HasPrefix(version, facts.engine) {
			s.Errorf("the engine of %s is %s, want %s", host.Name, version, facts.engine)
		}
	}
	s.checked("%d containers run where they belong, with the walk-through's ports, environment and networks, on Docker Engine %s", total,
		strings.Join(slices.Sorted(maps.Keys(engines)), ", "))
}

// wanted is what the walk-through asks of a container.
type wanted struct {
	ports    map[string]string // the node's port by the container's
	env      []string
	network  string
	hostName string
}

// inspect checks one container of a host.
func (s *step) inspect(host *lab.Host, name string, got container) {
	s.Helper()
	node, address := host.Name, ""
	if s.kind.facts().ownAddress {
		address = host.Address
	}
	number := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-")
	want := wanted{network: "mynet"}
	switch {
	case name == "consul":
		want = wanted{network: "host"}
	case name == "swarm-manager":
		want = wanted{ports: map[string]string{"2375/tcp": "3375"}}
	case name == "swarm-agent":
		want = wanted{}
	case name == "haproxy", name == "interlock":
		want, address = wanted{ports: map[string]string{"80/tcp": "80"}}, ""
	case strings.HasPrefix(name, "redis"):
	case strings.HasPrefix(name, "frontend"):
		want.ports = map[string]string{"80/tcp": "5000"}
		if s.kind.facts().domainOfVoting {
			want.hostName = "votingapp.local"
		}
		want.env = append(want.env, "WEB_VOTE_NUMBER="+number, "REDIS_ADDRESS=redis"+number+":6379")
	case strings.HasPrefix(name, "worker"):
		want.env = append(want.env, "WORKER_NUMBER="+number, "REDIS_ADDRESSES_FILE=/etc/vote-worker/queues")
	case name == "pg":
		want.env = append(want.env, "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password")
	case name == "results-app":
		want.ports = map[string]string{"80/tcp": "80"}
	}
	if !got.State.Running {
		s.Errorf("%s on %s does not run: %q", name, node, got.State.Status)
		return
	}
	s.kind.placed(s, node, name, got)
	if len(got.HostConfig.PortBindings) != len(want.ports) {
		s.Errorf("%s publishes %v, want %v", name, got.HostConfig.PortBindings, want.ports)
	}
	for inside, outside := range want.ports {
		bound := got.HostConfig.PortBindings[inside]
		if len(bound) != 1 || bound[0].HostPort != outside || address != "" && bound[0].HostIP != address {
			s.Errorf("%s publishes %s as %v, want %s:%s", name, inside, bound, address, outside)
		}
	}
	for _, variable := range want.env {
		if !slices.Contains(got.Config.Env, variable) {
			s.Errorf("%s lacks %s in its environment", name, variable)
		}
	}
	for _, variable := range got.Config.Env {
		if strings.Contains(variable, postgresPassword) || strings.HasPrefix(variable, "VOTER_KEY=") {
			s.Errorf("%s has a secret in its environment", name)
		}
	}
	if want.network != "" {
		if _, on := got.NetworkSettings.Networks[want.network]; !on || len(got.NetworkSettings.Networks) != 1 {
			s.Errorf("%s is on %v, want %s alone", name, got.NetworkSettings.Networks, want.network)
		}
	}
	if want.hostName != "" && got.Config.Hostname+"."+got.Config.Domainname != want.hostName {
		s.Errorf("%s is called %s.%s, want %s", name, got.Config.Hostname, got.Config.Domainname, want.hostName)
	}
}

// nothingChanges checks that up, refresh and preview change nothing.
func nothingChanges(s *step) {
	s.ready()
	before := s.identities()
	s.unchanged()
	refreshed, err := s.pulumi.Refresh(s.ctx)
	s.must(err)
	s.noChanges("a `refresh`", refreshed)
	preview, err := s.pulumi.Preview(s.ctx, optpreview.Refresh())
	s.must(err)
	s.noChanges("`preview --refresh`", preview)
	if list := s.replaced(before); len(list) > 0 {
		s.Errorf("these containers were replaced: %v", list)
	}
}
