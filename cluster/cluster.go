// Package cluster is the interface between the application and the cluster that it runs on. The application describes a Workload.
// The Cluster runs it.
//
// Each kind of cluster is a package below this one. standalone is the walk-through's. engine has what every kind does with a
// node's own Docker Engine.
package cluster

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// Cluster runs workloads on nodes.
type Cluster interface {
	// Run makes what the workload needs on its node, and starts it. The resources have the parent. Workloads on members of the
	// cluster find each other by name. Load balancers are no members.
	Run(ctx *pulumi.Context, workload Workload, parent pulumi.Resource) (*Running, error)
	// Script runs a script about a workload on that workload's node, or with nil about all members' workloads. The script may
	// call these functions:
	//
	//	workload_health NAME            prints healthy, starting, unhealthy, missing, or "without a check"
	//	workload_state NAME             prints running, restarting, exited …, or missing
	//	workload_last_words NAME        prints the ends of its health check's output and of its log
	//	workload_stop NAME              stops it for good
	//	workload_exec NAME COMMAND …    runs a command in it, which gets the standard input
	Script(ctx *pulumi.Context, name string, about *Running, script infra.Script, options ...pulumi.ResourceOption) (pulumi.Resource, error)
	// Present starts those of the workloads that have stopped, and returns an empty text. It fails with the names of those that are gone.
	Present(ctx *pulumi.Context, workloads []*Running) pulumi.StringOutput
	// ManagerURL returns the address at which Interlock watches the cluster.
	ManagerURL() string
}

// Workload is a program that runs on a node, described for any kind of cluster.
type Workload struct {
	Name        string      // unique; other workloads find it by this name
	Resource    string      // name of its resource; empty: Name
	Node        *infra.Node // where it runs
	Image       Image
	Command     []string // empty: the image's
	Environment []Variable
	Secrets     []Secret
	User        int // ID of the user that its program starts as; on the node, its files belong to that user
	Ports       []Port
	Volume      *Volume        // nil: it keeps no data
	Config      *Configuration // nil: it has no configuration file
	HealthCheck []string       // a command that succeeds in the workload while it works
	// StartedCheck is for a cluster that replaces a workload which fails it. It succeeds once the workload has worked. From then on it fails
	// only if another one would work better. nil: HealthCheck.
	StartedCheck []string
	Host         HostName // empty: chosen by the engine
	ReadOnly     bool     // its root file system is read-only
	Scratch      []string // folders in memory that it may write to nevertheless
	// Authorities lets it recognise servers by the authorities that the node trusts. Images of the programs have none.
	Authorities bool
	Limits      Limits
	// Capabilities are the Linux capabilities that it may have, without "CAP_". It has no other one.
	Capabilities []string
	Update       Update
}

// Limits are what a workload may use of its node. They keep one that goes wild, or is attacked, from taking the node with it.
type Limits struct {
	Memory int // MiB; the node's swap is not limited. On a cluster that reserves it, the node must have as much for all its workloads
	Files  int // open at once, by each of its processes
}

// Image is the image of a workload: a stock image with a Reference, or one that is built from a Context.
type Image struct {
	Name      string // part of its resources' names; also the name of a built image
	Reference string // stock image: redis:7.2.16
	Context   string // built image: the folder of its Dockerfile
	Base      *Image // built image: the stock image that it is built on, which the Dockerfile has as the argument BASE; nil: the Dockerfile says
	Platform  string // built image: linux/amd64
}

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// SecretsFolder is the folder of a workload's secrets, in the workload.
const SecretsFolder = "/run/secrets"

// AuthoritiesFolder is the folder with the authorities that a machine trusts, on a node and in a workload. Debian's package ca-certificates has
// it, and programs in Go look there.
const AuthoritiesFolder = "/etc/ssl/certs"

// Secret is a file with a secret text. The workload's user alone can read it.
type Secret struct {
	File     string // its name in SecretsFolder
	Variable string // the environment variable with the file's path; empty: none
	Content  settings.Secret
	// Version changes with the content and does not reveal it: it is in Pulumi's state in plain text. A changed one replaces the
	// workload. Empty: a changed content does not.
	Version string
}

// Path returns the file's path in the workload.
func (s Secret) Path() string { return SecretsFolder + "/" + s.File }

// Port is a port of the workload that its node publishes.
type Port struct {
	Inside, Outside int
	Public          bool // for everybody, not only for the other nodes
}

// Volume keeps a workload's data. It outlives the workload and, where the node has a Disk, the machine.
type Volume struct {
	Name string
	Path string // in the workload
}

// Configuration is a file that may change while the workload runs. The workload's user alone can read it.
type Configuration struct {
	Path    string // in the workload, alone in its folder; the file is replaced atomically
	Content pulumi.StringInput
	Check   []string // a command in the workload that succeeds if the file named as last argument is valid; empty: no check
	Reload  []string // a command in the workload that makes it read the file again; empty: it notices by itself
}

// HostName is the name that a workload has for itself.
type HostName struct{ Host, Domain string }

// Update says when a changed workload replaces the former one, and when that is done.
type Update struct {
	After []*Running // these are started or replaced first
	Await bool       // it is done once the health check succeeds; after two minutes without success it fails, with the last words
}

// Running is a workload that runs.
type Running struct {
	Workload
	Container pulumi.Resource     // exists once the workload runs
	Healthy   pulumi.Resource     // exists once it is healthy; nil unless Update.Await
	ID        pulumi.StringOutput // changes when the container is replaced
	Data      pulumi.Resource     // its volume; nil: none
}

// ResourceName returns the name of the workload's resource.
func (w Workload) ResourceName() string {
	if w.Resource != "" {
		return w.Resource
	}
	return w.Name
}

// Containers returns the resources of workloads, for pulumi.DependsOn: what depends on them comes after they run and, with
// Update.Await, are healthy.
func Containers(workloads []*Running) []pulumi.Resource {
	var resources []pulumi.Resource
	for _, running := range workloads {
		resources = append(resources, running.Container)
		if running.Healthy != nil {
			resources = append(resources, running.Healthy)
		}
	}
	return resources
}
