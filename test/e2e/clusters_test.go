package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// clusterKind is what the steps need to know of a kind of cluster.
type clusterKind interface {
	// members returns the names of the hosts whose engines run the cluster's workloads or manage them.
	members() []string
	// ready returns the members that the cluster lists as working, sorted. It fails if the cluster takes no orders.
	ready(ctx context.Context) ([]string, error)
	// etcd returns the nodes that have a part of etcd where there are several stores, in the order of their numbers.
	etcd() []topology.Node
	// own returns the names of the cluster's own containers on a host of the role.
	own(role topology.Role) []string
	// predicted says what works while a host of the role is off.
	predicted(role topology.Role) outage
	// placed checks on which node the cluster was told to run a workload, and how it starts it again.
	placed(s *step, node, name string, got container)
	// scale stops the workloads, or starts them, all at once.
	scale(ctx context.Context, workloads []string, replicas int) error
	// wrongEngine returns what an engine says that the cluster cannot use, and parts of the error.
	wrongEngine() (says string, refusal []string)
	// facts are the kind's other words and figures.
	facts() facts
}

// facts are what the table says of a kind of cluster.
type facts struct {
	engine         string // what the engine's version begins with; empty: any that the stack takes
	node           string // who lists nodes
	workload       string // the last part of the Pulumi type of a workload
	manager        string // what is lost with the manager's host
	domainOfVoting bool   // the web containers have the domain of the vote page, by which Interlock finds them
	ownAddress     bool   // a port is published at the node's address alone
	byHand         string // the script of the steps by hand
}

// kindOf returns the system's kind of cluster.
func kindOf(s *system, cluster settings.Cluster) clusterKind {
	if cluster == settings.Standalone {
		return standalone{s}
	}
	return swarmMode{s}
}

// standalone is the walk-through's cluster.
type standalone struct{ *system }

func (k standalone) facts() facts {
	return facts{
		engine: "20.10.24", node: "the Swarm manager", workload: "Container", manager: "Consul's data with it", domainOfVoting: true, ownAddress: true,
		byHand: "standalone.sh",
	}
}

func (k standalone) members() []string {
	return k.named(func(role topology.Role) bool { return role != topology.Manager && role != topology.LoadBalancer })
}

// managers are the hosts of the Swarm managers.
func (k standalone) managers() []string {
	return k.named(func(role topology.Role) bool { return role == topology.Manager })
}

// swarm calls docker for the Swarm manager, on the first manager's host that answers.
func (k standalone) swarm(ctx context.Context, arguments ...string) (string, error) {
	var output string
	var err error
	for _, name := range k.managers() {
		manager := k.lab.Host(name)
		if output, err = manager.Docker(ctx, append([]string{"--host", "tcp://" + manager.Address + ":3375"}, arguments...)...); err == nil {
			return output, nil
		}
	}
	return output, err
}

func (k standalone) ready(ctx context.Context) ([]string, error) {
	info, err := k.swarm(ctx, "info")
	if err != nil {
		return nil, err
	}
	var names []string
	node := ""
	for line := range strings.Lines(info) {
		name, _, found := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case found && slices.Contains(k.members(), name):
			node = name
		case node != "" && strings.Contains(line, "Status: Healthy"):
			names = append(names, node)
			node = ""
		}
	}
	slices.Sort(names)
	return names, nil
}

func (k standalone) etcd() []topology.Node {
	return topology.Managers(slices.DeleteFunc(k.nodes(), func(node topology.Node) bool { return node.Role == topology.Manager }), 3, k.zones)
}

func (k standalone) own(role topology.Role) []string {
	var agent []string
	if len(k.managers()) > 1 {
		agent = []string{"consul"}
	}
	switch role {
	case topology.Manager:
		return []string{"consul", "swarm-manager"}
	case topology.LoadBalancer:
		return agent
	default:
		return append(agent, "swarm-agent")
	}
}

func (k standalone) predicted(role topology.Role) outage {
	want := predicted[role]
	if role == topology.Manager {
		want.manager, want.text = false, "no administration, voting and counting go on"
	}
	return want
}

func (k standalone) placed(s *step, node, name string, got container) {
	s.Helper()
	s.restartedByEngine(name, got)
	if slices.Contains(k.own(k.lab.Host(node).Role), name) || k.lab.Host(node).Role == topology.LoadBalancer {
		return
	}
	// The manager moves the constraint from the environment to a label.
	if constraint := got.Config.Labels["com.docker.swarm.constraints"]; constraint != `["node==`+node+`"]` {
		s.Errorf("%s was placed by the constraint %s, want node==%s", name, constraint, node)
	}
}

func (k standalone) scale(ctx context.Context, workloads []string, replicas int) error {
	action := "stop"
	if replicas > 0 {
		action = "start"
	}
	return each(workloads, func(workload string) error {
		_, err := k.swarm(ctx, action, workload)
		return err
	})
}

func (k standalone) wrongEngine() (says string, refusal []string) {
	return "Docker version 23.0.6, build 9dbdbd4", []string{"no --cluster-store", "remove it"}
}

// swarmMode is the cluster of Docker's own swarm mode.
type swarmMode struct{ *system }

func (k swarmMode) facts() facts {
	return facts{node: "the swarm", workload: "Service", manager: "one of three", byHand: "swarm-mode.sh"}
}

func (k swarmMode) members() []string {
	return k.named(func(role topology.Role) bool { return role != topology.LoadBalancer })
}

// swarm calls docker on a manager that works.
func (k swarmMode) swarm(ctx context.Context, arguments ...string) (string, error) {
	var output string
	var err error
	for _, node := range k.managers() {
		if output, err = k.lab.Host(node.Name).Docker(ctx, arguments...); err == nil {
			return output, nil
		}
	}
	return output, err
}

func (k swarmMode) ready(ctx context.Context) ([]string, error) {
	listed, err := k.swarm(ctx, "node", "ls", "--format", "{{.Hostname}} {{.Status}}")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(listed) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), " Ready"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (k swarmMode) etcd() []topology.Node { return k.managers() }

func (k swarmMode) own(topology.Role) []string { return nil }

func (k swarmMode) predicted(role topology.Role) outage {
	want := predicted[role]
	if role == topology.Manager {
		want.text = "everything goes on"
	}
	return want
}

func (k swarmMode) placed(s *step, node, name string, got container) {
	s.Helper()
	if k.lab.Host(node).Role == topology.LoadBalancer {
		s.restartedByEngine(name, got)
		return
	}
	told, err := k.swarm(s.ctx, "service", "inspect", "--format", "{{.Spec.TaskTemplate.Placement.Constraints}} {{.Spec.TaskTemplate.RestartPolicy.Condition}}", name)
	s.must(err)
	if want := "[node.hostname==" + node + "] any"; told != want {
		s.Errorf("the service %s has %s, want %s", name, told, want)
	}
}

func (k swarmMode) scale(ctx context.Context, workloads []string, replicas int) error {
	order := []string{"service", "scale"}
	for _, workload := range workloads {
		order = append(order, fmt.Sprintf("%s=%d", workload, replicas))
	}
	_, err := k.swarm(ctx, order...)
	return err
}

func (k swarmMode) wrongEngine() (says string, refusal []string) {
	return "Docker version 20.10.24, build 297e128", []string{"an older swarm mode than that of release 25", "remove it"}
}

// restartedByEngine checks that its engine starts a container again.
func (s *step) restartedByEngine(name string, got container) {
	s.Helper()
	if policy := got.HostConfig.RestartPolicy.Name; policy != "unless-stopped" {
		s.Errorf("%s restarts %q, want unless-stopped", name, policy)
	}
}

// name is the workload's that the container belongs to.
func (c container) name() string {
	if service := c.Config.Labels[serviceLabel]; service != "" {
		return service
	}
	return strings.TrimPrefix(c.Name, "/")
}

// serviceLabel has the name of a container's service. Swarm mode gives names of its own to containers.
const serviceLabel = "com.docker.swarm.service.name"
