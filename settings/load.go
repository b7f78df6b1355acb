package settings

import (
	"errors"
	"io/fs"

	"swarm-scale/topology"
)

// Source provides the raw values. Keys have no namespace.
type Source struct {
	// Value returns a setting's text, and whether it is set. Lists are JSON.
	Value func(key string) (string, bool)
	// IsSecret reports whether a setting is encrypted.
	IsSecret func(key string) bool
	// ReadFile returns the content of a file on the machine on which Pulumi runs, as os.ReadFile does.
	ReadFile func(path string) ([]byte, error)
	// Mode returns the mode of a private key's file, or 0 if ssh does not look at it. nil: it is not checked.
	Mode func(path string) (fs.FileMode, error)
}

// Load reads every setting, fills in the defaults and checks the result. The error joins all faults, each of type Fault. Settings
// are valid only without an error.
func Load(source Source) (Settings, error) {
	r := &reader{source: source}
	s := Settings{
		Platform:     Platform(r.oneOf(keyPlatform, string(AWS), string(Hosts))),
		Cluster:      Cluster(r.oneOf(keyCluster, string(SwarmMode), string(Standalone))),
		SSH:          r.ssh(),
		LoadBalancer: r.loadBalancer(),
		Ballot:       r.ballot(),
		AppendFsync:  r.oneOf(keyAppendFsync, "always", "everysec"),
		Images: Images{
			Redis:     r.image(keyRedisImage),
			Postgres:  r.image(keyPostgresImage),
			Consul:    r.consulImage(),
			Swarm:     r.image(keySwarmImage),
			HAProxy:   r.image(keyHAProxyImage),
			Interlock: r.interlockImage(),
		},
		VoteNames:      r.names(keyVoteNames, "vote"),
		ResultsNames:   r.names(keyResultsNames, "results"),
		TrustedProxies: r.trustedProxies(),
		Limits: Limits{
			Connections: r.number(keyConnections, 1, mostPerAddress),
			Votes:       r.number(keyVotes, 1, mostPerAddress),
			NewVoters:   r.number(keyNewVoters, 1, mostPerAddress),
			Viewers:     r.number(keyViewers, 1, mostPerAddress),
		},
		LogAddresses: r.boolean(keyLogAddresses),
		Database:     r.database(),
		VoterKey:     r.voterKey(),
	}
	counts, managers := r.counts(), r.managerCount(s.Cluster)
	if s.Cluster == Standalone {
		counts[topology.Manager] = managers
	}
	if s.HasStores() {
		s.PostgresPassword = r.postgresPassword()
	} else {
		counts[topology.Store] = 0
		r.withoutStores()
	}
	s.Zones = r.zones(s.Cluster)
	switch s.Platform {
	case AWS:
		s.AWS = r.aws(s.Zones, counts)
		s.Nodes = r.addresses(s.AWS.Subnets, counts)
		s.Architecture = r.architectureOf(s.AWS.InstanceTypes)
	case Hosts:
		s.Hosts, s.Nodes = r.hosts(counts, s.Zones, s.SSH.User)
		s.Architecture = r.architectureOfHosts()
		r.noNetworkLoadBalancer()
	}
	if s.LoadBalancer == Interlock {
		r.fitsInterlock(s)
	}
	s.Managers = r.managers(s, managers)
	r.spread(s)
	r.namesDiffer(s)
	s.VoteCopies = r.voteCopies(s.Nodes)
	r.fitsStores(s)
	s.Overlay = r.overlay(s)
	s.SwarmPool = r.swarmPool(s)
	return s, errors.Join(r.faults...)
}

// counts returns the number of nodes of each role whose number can be set.
func (r *reader) counts() topology.Counts {
	counts := topology.Counts{}
	for _, spec := range topology.Roles() {
		if key, ok := countKeys[spec.Role]; ok {
			// An invalid count is already reported. Use 1 so that later checks still run.
			counts[spec.Role] = max(r.number(key, 1, spec.Most), 1)
		}
	}
	return counts
}
