// Package settings knows what can be set about a stack, the defaults, and what is wrong with a value. It is pure: a Source goes
// in, and a Settings or all faults come out, before any resource is touched.
//
// A setting's key is its key in Pulumi.<stack>.yaml without the project's name. Pulumi.yaml declares the same keys with the same
// defaults. A test holds the two together.
package settings

import (
	"net/netip"

	"swarm-scale/topology"
)

// Platform is where the machines come from.
type Platform string

// The platforms.
const (
	AWS   Platform = "aws"   // EC2 instances that the stack makes and owns
	Hosts Platform = "hosts" // existing machines, listed in the config
)

// Cluster is the kind of cluster that the nodes form.
type Cluster string

// The clusters.
const (
	// SwarmMode is the cluster of Docker's own swarm mode, on an engine that gets security fixes.
	SwarmMode Cluster = "swarm-mode"
	// Standalone is the walk-through's: a standalone Swarm with Consul, on the last engine that works with them. None of the three gets
	// security fixes.
	Standalone Cluster = "standalone"
)

// Clusters returns all kinds of cluster, the default first.
func Clusters() []Cluster { return []Cluster{SwarmMode, Standalone} }

// FlowLogs says which connections the VPC's flow logs have.
type FlowLogs string

// The kinds of flow logs.
const (
	NoFlowLogs  FlowLogs = "none"
	RejectsOnly FlowLogs = "reject" // what the security groups kept out: no voter is in them
	AllFlows    FlowLogs = "all"    // voters' addresses and times, too
)

// LoadBalancer is the program that distributes voters over the frontends.
type LoadBalancer string

// The load balancers.
const (
	// HAProxy is maintained. The stack writes its configuration. A reload drops no connection.
	HAProxy LoadBalancer = "haproxy"
	// Interlock is the walk-through's. Release 0.3.3 is archived. It finds the frontends through the Swarm manager.
	Interlock LoadBalancer = "interlock"
)

// Settings are the settings of a stack, complete and checked.
type Settings struct {
	Platform Platform

	AWS   AWSSettings // empty on platform hosts
	Hosts []Host      // one for every node in Nodes, in that order; empty on platform aws
	SSH   SSHSettings
	// Nodes are the nodes of the cluster in the address plan's order. On platform hosts their addresses are the listed machines'.
	Nodes []topology.Node

	Cluster      Cluster
	Zones        int             // the nodes are spread over as many: 1 or 3
	Managers     []topology.Node // those of Nodes that manage the cluster: 1, 3 or 5
	SwarmPool    netip.Prefix    // IPv4; the networks that a swarm makes for itself are in it. Only for SwarmMode
	Overlay      Overlay
	Architecture string // of the machines' processors, as Go names it: amd64 or arm64
	Images       Images
	LoadBalancer LoadBalancer
	Ballot       Ballot
	VoteCopies   int // in how many queues each vote is before its voter is thanked: 1 or 2
	// AppendFsync is Redis's appendfsync. "always" loses no acknowledged vote. "everysec" loses up to two seconds of them in a power cut, or
	// if Redis is killed while the disk is slow (Redis's documentation on persistence).
	AppendFsync string
	// VoteNames are the host names under which the vote page is served, besides votingapp.local, in lower case.
	VoteNames []string
	// ResultsNames are the host names under which the load balancers serve the results page, besides results.votingapp.local, in lower case.
	ResultsNames []string
	// TrustedProxies are believed when they say in X-Forwarded-For whom a request comes from.
	TrustedProxies   []netip.Prefix
	Limits           Limits
	LogAddresses     bool   // the load balancer's log has the voters' addresses
	PostgresPassword Secret // empty with a Database of somebody else's
	Database         Database
	VoterKey         Secret // base64 of at least 32 random bytes; signs the voters' cookies
}

// Stores returns how many nodes keep the votes.
func (s Settings) Stores() int { return topology.Count(s.Nodes, topology.Store) }

// HasStores reports whether the stack keeps the votes itself. Otherwise they are in Database.
func (s Settings) HasStores() bool { return s.Database.URL == "" }

// Database is a PostgreSQL that somebody else keeps. Without a URL there is none, and the stack has stores.
type Database struct {
	URL Secret // has the password in it; package poll/databaseurl reads it
	// Authorities are the certificates of those who sign the database's one, in PEM. Empty: the authorities that the nodes trust.
	Authorities string
}

// Overlay is the address range of the network on which the members' containers are.
type Overlay struct {
	Range netip.Prefix // IPv4
	Fixed bool         // somebody has set the range. Otherwise a network that exists keeps its own.
}

// Limits bound what one address may do: an IPv4 address, or the /64 of an IPv6 address.
type Limits struct {
	Connections int // open at once, with the vote page and with the results page
	Votes       int // in a minute
	NewVoters   int // in a minute
	Viewers     int // who are sent each change of the results
}

// AWSSettings are the settings of platform aws.
type AWSSettings struct {
	Region            string
	AvailabilityZones []string                 // of the subnets; empty: the first ones that offer every instance type asked for
	VPC               netip.Prefix             // IPv4, /16 to /28
	Subnets           []netip.Prefix           // of zones 1, 2, 3; IPv4, inside VPC
	KeyPair           string                   // name of an existing EC2 key pair of the region
	OperatorCIDR      netip.Prefix             // SSH is open to it
	AMI               string                   // empty: Canonical's newest Ubuntu 22.04 when a machine is made
	InstanceTypes     map[topology.Role]string // of the roles that have nodes
	DiskSize          int                      // GiB of each machine's root disk
	DataDiskSize      int                      // GiB of the disk of a node that keeps data
	FlowLogs          FlowLogs
	// TerminationProtection keeps Pulumi and AWS from deleting machines and data disks.
	TerminationProtection bool
	// NetworkLoadBalancer says that one of AWS is in front of the load balancers' machines.
	NetworkLoadBalancer bool
}

// Host is an existing machine.
type Host struct {
	Name           string `json:"name"`           // the node it becomes: manager, interlock, frontend01, worker01, store …
	Address        string `json:"address"`        // address or host name at which Pulumi reaches it by SSH
	PrivateAddress string `json:"privateAddress"` // IPv4 address at which the other nodes reach it; default: Address
	Port           int    `json:"port"`           // SSH port; default: 22
	User           string `json:"user"`           // SSH user; default: the setting sshUser
	Zone           int    `json:"zone"`           // machines of one zone may fail together: 1, 2 or 3; default: 1
	HostKey        string `json:"hostKey"`        // its SSH host key, "ssh-ed25519 AAAA…", by which it is recognised
}

// SSHSettings say how Pulumi logs in on the nodes.
type SSHSettings struct {
	User           string
	PrivateKeyFile string // absolute; empty: the SSH agent's keys
	PrivateKey     Secret // the file's content; empty: the SSH agent's keys
}

// Images are the stock images, each with a tag or a digest.
type Images struct {
	Redis, Postgres, Consul, Swarm, HAProxy, Interlock string
}

// Ballot has the two options that a voter chooses between.
type Ballot struct {
	OptionA, OptionB string
}

// Secret is a text that formats as "[secret]", so that no log line or error reveals it by accident.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value from %#v, too.
func (Secret) GoString() string { return "[secret]" }

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }
