// Package cluster is what the app knows of the cluster that it runs on: it describes a Workload, and the Cluster runs it.
//
// A kind of cluster is a package below this one. standalone is the walk-through's. engine has what every kind does with a
// node's own Docker Engine.
package cluster

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// Cluster runs workloads on nodes.
type Cluster interface {
	// Run makes everything that the workload needs on its node, under the parent, and starts it. Workloads on members of the
	// cluster know each other by name. Load balancers are no members.
	Run(ctx *pulumi.Context, workload Workload, parent pulumi.Resource) (*Running, error)
	// Script runs a script that asks about workloads: about one, on the node that it runs on, or with nil about any of the
	// members' workloads. It finds these functions:
	//
	//	workload_health NAME            healthy, starting, unhealthy, missing, or "without a check"
	//	workload_state NAME             running, restarting, exited …, or missing
	//	workload_last_words NAME        what its health check and its log said last, for a person
	//	workload_stop NAME              stops it for good
	//	workload_exec NAME COMMAND …    runs a command in it, which gets the standard input
	Script(ctx *pulumi.Context, name string, about *Running, script infra.Script, options ...pulumi.ResourceOption) (pulumi.Resource, error)
	// ManagerURL is where the walk-through's load balancer watches the cluster.
	ManagerURL() string
}

// Workload describes what runs on a node, apart from how a cluster runs it.
type Workload struct {
	Name        string      // unique; other workloads find it by this name
	Resource    string      // name of its resource; empty: Name
	Node        *infra.Node // where it runs
	Image       Image
	Command     []string // empty: the image's
	Environment []Variable
	Secrets     []Secret
	Ports       []Port
	Volume      *Volume        // nil: it keeps nothing
	Config      *Configuration // nil: the environment is all there is
	HealthCheck []string       // a command that succeeds in it while it works
	Host        HostName       // what it takes itself for; empty: whatever
	ReadOnly    bool           // nothing in the image is ever written to
	Update      Update
}

// Image is what a workload runs. It has a Reference or a Context.
type Image struct {
	Name      string // names the image's resources; a built image has it, too
	Reference string // of a stock image: redis:7.2.5
	Context   string // of an image to be built: the folder that holds its Dockerfile and what goes in
	Platform  string // of an image to be built: linux/amd64
}

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// Secret is a value that nobody but the workload may read.
type Secret struct {
	Name  string
	Value settings.Secret
}

// Port is a port of the workload that its node publishes.
type Port struct {
	Inside, Outside int
	Public          bool // to everybody, and not only to the other nodes
}

// Volume keeps a workload's data. It outlives the workload, but not the machine.
type Volume struct {
	Name string
	Path string // where the workload has it
}

// Configuration is a file that may change while the workload goes on running.
type Configuration struct {
	Path    string // where the workload has it, alone in its folder; it is replaced in one step
	Content pulumi.StringInput
	Check   []string // a command that succeeds in the workload if the file named behind it can be used; empty: any can
	Reload  []string // a command that has the workload take up the file; empty: it looks for itself
}

// HostName is what a workload takes itself for.
type HostName struct{ Host, Domain string }

// Update says how a workload is replaced by a changed one.
type Update struct {
	After []*Running // only when these work
	Await bool       // it is replaced when its health check succeeds; the update fails if that takes longer than two minutes
}

// Running is a workload that runs.
type Running struct {
	Workload
	Container pulumi.Resource     // there once it runs
	ID        pulumi.StringOutput // another one each time it is made anew
	Data      pulumi.Resource     // its volume; nil: none
}

// ResourceName is the name of the workload's resource.
func (w Workload) ResourceName() string {
	if w.Resource != "" {
		return w.Resource
	}
	return w.Name
}

// Containers are the resources of workloads, for pulumi.DependsOn.
func Containers(workloads []*Running) []pulumi.Resource {
	var resources []pulumi.Resource
	for _, running := range workloads {
		resources = append(resources, running.Container)
	}
	return resources
}
