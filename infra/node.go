// Package infra makes the machines, or takes the ones that exist, and hands both up as the same thing: a Node that can be
// reached by SSH and recognised by its host key. Nothing above this package knows which cloud a node stands in.
package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Node is a machine of the cluster, whatever made it.
type Node struct {
	topology.Node // its name, role, number and private address

	PublicAddress pulumi.StringOutput // where the operator and, on the load balancer and the store, the public reach it
	HostKey       pulumi.StringOutput // its SSH host key as one line of authorized_keys: "ssh-ed25519 AAAA…"
	// Identity changes when the machine behind the node becomes another one. Scripts then run again.
	Identity pulumi.StringOutput
	// Machine is replaced when the machine behind the node becomes another one, and is deleted before that.
	Machine pulumi.Resource
	// Presence goes when the machine leaves the stack, and with it all that the stack had on the machine: the machine itself
	// goes, or it is given back.
	//
	// While Pulumi replaces Machine it still deletes what is DeletedWith(Machine), but not what is DeletedWith a resource
	// replaced alongside it. Presence is that resource.
	Presence pulumi.Resource
	// Reachable are the resources that have to be there before SSH can get through, such as the route to the internet.
	Reachable []pulumi.Resource

	ownPublicAddress bool

	dials      int // how often SSH tries before it gives up
	user       string
	port       int
	privateKey settings.Secret // empty: the SSH agent
	keyFile    string          // empty: the SSH agent
	commands   *command.Provider
}

// Machines is the component that holds the nodes of a stack and whatever they stand on.
type Machines struct {
	pulumi.ResourceState

	Nodes []*Node // in the address plan's order
}

// Demands is what those who use the machines need of them.
type Demands struct {
	// Traffic is what has to get through to the nodes.
	Traffic []Rule
	// GiveBack returns the script that undoes on a node what its users did there. It runs with "delete" when a machine that
	// is not the stack's own leaves the stack, and with "create" when it joins: then it refuses a machine on which another
	// deployment left something.
	GiveBack func(*Node) Script
}

// New makes the machines that the settings ask for, on the platform that they name.
func New(ctx *pulumi.Context, s settings.Settings, demands Demands) (*Machines, error) {
	machines := &Machines{}
	if err := ctx.RegisterComponentResource("swarm-scale:infra:Machines", "machines", machines); err != nil {
		return nil, err
	}
	inside := pulumi.Parent(machines)
	commands, err := command.NewProvider(ctx, "ssh", &command.ProviderArgs{}, inside)
	if err != nil {
		return nil, err
	}
	if s.Platform == settings.AWS {
		machines.Nodes, err = newAWS(ctx, s, demands.Traffic, commands, inside)
	} else {
		machines.Nodes, err = newHosts(ctx, s, demands.GiveBack, commands, inside)
	}
	if err != nil {
		return nil, err
	}
	addresses := pulumi.StringMap{}
	for _, node := range machines.Nodes {
		addresses[node.Name] = node.PublicAddress
	}
	return machines, ctx.RegisterResourceOutputs(machines, pulumi.Map{"publicAddresses": addresses})
}

// Of lists the nodes of a role by their numbers.
func (m *Machines) Of(role topology.Role) []*Node {
	var nodes []*Node
	for _, node := range m.Nodes {
		if node.Role == role {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// User is the name that SSH logs in as.
func (n *Node) User() string { return n.user }

// HasOwnPublicAddress reports whether the public address is on an interface of the machine itself, next to the private one.
// On AWS it is not: the internet gateway translates it into the private address.
func (n *Node) HasOwnPublicAddress() bool { return n.ownPublicAddress }

// Follow replaces a Docker resource with its machine, and drops it from state without a call when the machine is deleted.
func (n *Node) Follow() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.DeletedWith(n.Presence), pulumi.ReplaceWith([]pulumi.Resource{n.Machine})}
}

// newPresence makes the node's presence: a command that does nothing or, when it goes, gives the machine back.
func (n *Node) newPresence(ctx *pulumi.Context, arguments *local.CommandArgs, parent pulumi.ResourceOption) error {
	machine := []pulumi.Resource{n.Machine}
	presence, err := local.NewCommand(ctx, n.Name+"-presence", arguments,
		pulumi.Provider(n.commands), parent, pulumi.DependsOn(machine), pulumi.ReplaceWith(machine))
	n.Presence = presence
	return err
}

// connection is how pulumi-command logs in.
func (n *Node) connection() remote.ConnectionArgs {
	connection := remote.ConnectionArgs{
		Host:           n.PublicAddress,
		Port:           pulumi.Float64(n.port),
		User:           pulumi.String(n.user),
		HostKey:        n.HostKey,
		DialErrorLimit: pulumi.Int(n.dials),
		PerDialTimeout: pulumi.Int(10), // seconds
	}
	if n.privateKey != "" {
		connection.PrivateKey = pulumi.ToSecret(pulumi.String(n.privateKey.Reveal())).(pulumi.StringOutput).ToStringPtrOutput()
	}
	return connection
}

// How often SSH dials. The plugin waits 0.1 s before it dials again, then half as long again each time, 5 s at most. Forty dials
// take three minutes where the connection is refused and ten where nothing answers. A new machine needs one or two minutes.
const (
	dialsOfNewMachine      = 40
	dialsOfExistingMachine = 12
)

// DockerHost is the address at which a docker provider reaches the engine of the node, through SSH.
func (n *Node) DockerHost() pulumi.StringOutput {
	return n.PublicAddress.ApplyT(func(address string) string {
		return fmt.Sprintf("ssh://%s@%s:%d", n.user, address, n.port)
	}).(pulumi.StringOutput)
}

// SSHOptions are the arguments that make the ssh program log in as pulumi-command does, and accept no other host key.
func (n *Node) SSHOptions() pulumi.StringArrayOutput {
	return n.HostKey.ApplyT(func(hostKey string) []string {
		options := []string{
			"-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=yes",
			"-o", "UserKnownHostsFile=/dev/null",
			"-o", "GlobalKnownHostsFile=/dev/null",
			// The key travels in the option itself: nothing has to be written where Pulumi runs. OpenSSH 8.5 or newer.
			"-o", "KnownHostsCommand=/bin/echo %H " + hostKey,
			"-o", "ConnectTimeout=15",
			"-o", "ServerAliveInterval=15",
		}
		if n.keyFile != "" {
			options = append(options, "-o", "IdentitiesOnly=yes", "-i", n.keyFile)
		}
		return options
	}).(pulumi.StringArrayOutput)
}

// SSHCommand is the line that a person types to log in on the node.
func (n *Node) SSHCommand() pulumi.StringOutput {
	return n.PublicAddress.ApplyT(func(address string) string {
		line := "ssh "
		if n.keyFile != "" {
			line += "-i " + n.keyFile + " "
		}
		if n.port != 22 {
			line += fmt.Sprintf("-p %d ", n.port)
		}
		return line + n.user + "@" + address
	}).(pulumi.StringOutput)
}

// KnownHostsLine is the node's line for the operator's known_hosts, so that the first login by hand is a verified one, too.
func (n *Node) KnownHostsLine() pulumi.StringOutput {
	return pulumi.All(n.PublicAddress, n.HostKey).ApplyT(func(parts []any) string {
		address := parts[0].(string)
		if n.port != 22 {
			address = fmt.Sprintf("[%s]:%d", address, n.port)
		}
		return fmt.Sprintf("%s %s", address, parts[1])
	}).(pulumi.StringOutput)
}
