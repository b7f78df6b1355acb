package cluster

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Ports of the cluster, as the walk-through has them; the first two are on the manager.
const (
	consulPort  = 8500
	managerPort = 3375
	enginePort  = 2375 // on every node
)

// membersWait is how many seconds the members have to turn healthy. The manager looks at what it discovers every few
// seconds and holds a new engine back until it has answered; a machine that is slow to start needs a minute.
const membersWait = 180

var (
	//go:embed scripts/container.sh
	containerScript string
	//go:embed scripts/swarm-manager.sh
	managerScript string
	//go:embed scripts/swarm-join.sh
	joinScript string
	//go:embed scripts/swarm-members.sh
	membersScript string
)

// standaloneSwarm is the walk-through's cluster: engines that share a Consul, a Swarm manager outside of the cluster, and
// an agent on every member that announces it.
type standaloneSwarm struct {
	pulumi.ResourceState

	settings  settings.Settings
	machines  *infra.Machines
	manager   *infra.Node
	engines   map[string]Engine
	inside    pulumi.ResourceOption
	discovery string // where nodes are announced and found, as Swarm writes it

	generation pulumi.StringOutput // of the key-value store
}

// newStandaloneSwarm bootstraps the cluster. Side by side run: the engines of all nodes; then, each as soon as the engine it
// needs is there, Consul and the pulls of Swarm's image; then the manager and the members' agents. The way to the end does not
// grow with the number of members.
func newStandaloneSwarm(ctx *pulumi.Context, s settings.Settings, machines *infra.Machines) (*Cluster, error) {
	swarm := &standaloneSwarm{settings: s, machines: machines, manager: machines.One(topology.Manager), engines: map[string]Engine{}}
	if err := ctx.RegisterComponentResource("swarm-scale:cluster:StandaloneSwarm", "swarm", swarm); err != nil {
		return nil, err
	}
	swarm.inside = pulumi.Parent(swarm)
	store := "consul://" + swarm.store()
	swarm.discovery = store + "/"

	for _, node := range machines.Nodes {
		engine, err := newEngine(ctx, node, store, swarm.inside)
		if err != nil {
			return nil, err
		}
		swarm.engines[node.Name] = engine
	}
	var err error
	if swarm.generation, err = swarm.newConsul(ctx); err != nil {
		return nil, err
	}
	members, err := swarm.newMembers(ctx)
	if err != nil {
		return nil, err
	}
	manager, err := newDockerProvider(ctx, "swarm", swarm.manager, swarm.inside)
	if err != nil {
		return nil, err
	}
	overlay, err := swarm.newOverlay(ctx, manager, members)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{Engines: swarm.engines, Places: map[string]Place{}}
	for _, node := range machines.Members() {
		cluster.Places[node.Name] = swarm.place(node, manager, overlay)
	}
	return cluster, ctx.RegisterResourceOutputs(swarm, pulumi.Map{"network": overlay.Name})
}

// place is the Swarm manager, with a constraint that leaves it no choice.
func (s *standaloneSwarm) place(node *infra.Node, manager *docker.Provider, overlay *docker.Network) Place {
	return Place{
		Provider:    manager,
		Environment: []string{"constraint:node==" + node.Name},
		// Through the manager, networks_advanced fails to disconnect a default network that it does not have.
		NetworkMode: overlay.Name,
		Network:     overlay,
		DockerHost:  fmt.Sprintf("tcp://%s:%d", s.manager.Address, managerPort),
	}
}

// newMembers runs the manager and the agents, and returns what is there once the manager reports every member healthy.
func (s *standaloneSwarm) newMembers(ctx *pulumi.Context) (pulumi.Resource, error) {
	image := pulumi.String(s.settings.Images.Swarm)
	pulled, err := s.pull(ctx, s.manager)
	if err != nil {
		return nil, err
	}
	manager, err := s.manager.Run(ctx, "swarm-manager", infra.Script{
		Text: restartScript + containerScript + managerScript,
		Variables: map[string]pulumi.StringInput{
			"SWARM_IMAGE":     image,
			"GENERATION":      s.generation,
			"NOTES":           pulumi.String(infra.Notes),
			"PRIVATE_ADDRESS": pulumi.String(s.manager.Address.String()),
			"DISCOVERY":       pulumi.String(s.discovery),
			"LOGIN_USER":      pulumi.String(s.manager.User()),
		},
		When: infra.OnCreateAndDelete,
	}, s.inside, pulumi.DependsOn([]pulumi.Resource{pulled}))
	if err != nil {
		return nil, err
	}
	steps, names := []pulumi.Resource{manager}, []string{}
	engines := []string{engineAddress(s.manager)}
	machines := pulumi.StringArray{pulumi.Sprintf("the key-value store: %s", s.generation)}
	for _, node := range s.machines.Members() {
		pulled, err := s.pull(ctx, node)
		if err != nil {
			return nil, err
		}
		join, err := node.Run(ctx, node.Name+"-join", infra.Script{
			Text: restartScript + containerScript + discoveryScript + joinScript,
			Variables: map[string]pulumi.StringInput{
				"SWARM_IMAGE":     image,
				"PRIVATE_ADDRESS": pulumi.String(node.Address.String()),
				"DISCOVERY":       pulumi.String(s.discovery),
				"STORE":           pulumi.String(s.store()),
				"GENERATION":      s.generation,
				"NOTES":           pulumi.String(infra.Notes),
				"NODE_NAME":       pulumi.String(node.Name),
			},
			When: infra.OnCreateAndDelete,
		}, s.inside, pulumi.DependsOn([]pulumi.Resource{pulled}))
		if err != nil {
			return nil, err
		}
		steps, names = append(steps, join), append(names, node.Name)
		engines = append(engines, engineAddress(node))
		machines = append(machines, pulumi.Sprintf("%s: %s", node.Name, node.Identity))
	}
	return s.manager.Run(ctx, "swarm-members", infra.Script{
		Text: discoveryScript + membersScript,
		Variables: map[string]pulumi.StringInput{
			// Not by pulumi.Sprintf: that copies its arguments field by field, and of an address leaves "invalid IP".
			"MANAGER": pulumi.String(fmt.Sprintf("%s:%d", s.manager.Address, managerPort)),
			"MEMBERS": pulumi.String(strings.Join(names, " ")),
			"STORE":   pulumi.String(s.store()),
			"ENGINES": pulumi.String(strings.Join(engines, " ")),
			"NETWORK": pulumi.String(overlayName),
			"NOTES":   pulumi.String(infra.Notes),
			"WAIT":    pulumi.String(strconv.Itoa(membersWait)),
			// A member that became another machine has to be waited for again.
			"MACHINES": machines.ToStringArrayOutput().ApplyT(func(lines []string) string { return strings.Join(lines, "\n") }).(pulumi.StringOutput),
		},
	}, s.inside, pulumi.DependsOn(steps))
}

// pull has a node's engine pull Swarm's image while the key-value store is not there yet.
func (s *standaloneSwarm) pull(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	engine := s.engines[node.Name]
	return docker.NewRemoteImage(ctx, "swarm-image-"+node.Name, &docker.RemoteImageArgs{Name: pulumi.String(s.settings.Images.Swarm)},
		append(node.Follow(), pulumi.Provider(engine.Provider), s.inside, pulumi.DependsOn(engine.Ready))...)
}

// store is the address and port of the key-value store.
func (s *standaloneSwarm) store() string { return fmt.Sprintf("%s:%d", s.manager.Address, consulPort) }

// engineAddress is where a node's engine is announced to the others.
func engineAddress(node *infra.Node) string { return fmt.Sprintf("%s:%d", node.Address, enginePort) }
