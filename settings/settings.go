// Package settings is the one place that knows what can be set about a stack, what it is when nobody sets it, and what is
// wrong with it. It is pure: the values come in through a Source, a Settings or a list of faults comes out, and no resource
// has been touched by then.
//
// A setting's key here is its key in Pulumi.<stack>.yaml, under the project's name; Pulumi.yaml declares the same keys with
// the same defaults, and a test holds the two together.
package settings

import (
	"net/netip"

	"swarm-scale/topology"
)

// Platform is where the machines come from.
type Platform string

// The platforms a stack can stand on.
const (
	AWS   Platform = "aws"   // EC2 machines that the stack makes and owns
	Hosts Platform = "hosts" // machines that exist already, listed in the config
)

// LoadBalancer is the program that spreads voters over the frontends.
type LoadBalancer string

// The load balancers to choose from.
const (
	// HAProxy is the kept one. Its configuration is written by the stack and reloaded without dropping a connection.
	HAProxy LoadBalancer = "haproxy"
	// Interlock is the walk-through's: release 0.3.3, archived, finds the frontends through the Swarm manager.
	Interlock LoadBalancer = "interlock"
)

// Settings is everything a stack can be told, complete and checked.
type Settings struct {
	Platform Platform

	AWS   AWSSettings // meaningful on platform aws
	Hosts []Host      // one for every node in Nodes, in that order; empty on platform aws
	SSH   SSHSettings
	// Nodes are the machines of the cluster in the address plan's order, as many of each role as the settings ask for. On
	// platform hosts the addresses are the listed machines' own.
	Nodes []topology.Node

	Architecture string // of the machines' processors, as Go names it: amd64 or arm64
	Images       Images
	LoadBalancer LoadBalancer
	Ballot       Ballot
	// AppendFsync is Redis's appendfsync: "always" loses no acknowledged vote to a power cut, "everysec" up to two
	// seconds of them (Redis's documentation on persistence).
	AppendFsync      string
	PostgresPassword Secret
	VoterKey         Secret // base64 of at least 32 random bytes; signs the voters' cookies
}

// AWSSettings is what only platform aws needs.
type AWSSettings struct {
	Region           string
	AvailabilityZone string       // empty: one that offers every instance type asked for
	VPC              netip.Prefix // IPv4, /16 to /28
	Subnet           netip.Prefix // IPv4, inside VPC
	KeyPair          string       // name of an existing EC2 key pair of the region
	OperatorCIDR     netip.Prefix // from where SSH is let in
	AMI              string       // empty: Canonical's newest Ubuntu 22.04 at the time a machine is made
	InstanceTypes    map[topology.Role]string
	DiskSize         int // GiB of each machine's root disk
}

// Host is a machine that exists already.
type Host struct {
	Name           string `json:"name"`           // the node it becomes: manager, interlock, frontend01, worker01, store …
	Address        string `json:"address"`        // where Pulumi reaches it by SSH: an address or a host name
	PrivateAddress string `json:"privateAddress"` // IPv4 by which the nodes reach each other; default: Address
	Port           int    `json:"port"`           // SSH port; default: 22
	User           string `json:"user"`           // SSH user; default: the setting sshUser
	HostKey        string `json:"hostKey"`        // its SSH host key, "ssh-ed25519 AAAA…", by which it is recognised
}

// SSHSettings is how the operator's machine logs in on the nodes.
type SSHSettings struct {
	User           string
	PrivateKeyFile string // absolute; empty: the SSH agent's keys
	PrivateKey     Secret // the file's content; empty: the SSH agent's keys
}

// Images are the stock images, each with a tag or a digest.
type Images struct {
	Redis, Postgres, Consul, Swarm, HAProxy, Interlock string
}

// Ballot is the two options a voter chooses between.
type Ballot struct {
	OptionA, OptionB string
}

// Secret is a value that formats as "[secret]", so that no log line or error shows it by accident.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value from %#v, too.
func (Secret) GoString() string { return "[secret]" }

// Reveal is the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }
