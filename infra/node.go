// Package infra makes EC2 machines or takes existing ones. Both become a Node, which is reached by SSH and recognised by its host
// key. Nothing above this package depends on where a machine comes from.
package infra

import (
	"strconv"
	"strings"

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

	PublicAddress pulumi.StringOutput // at which SSH and, on load balancers and stores, the public reach it
	HostKey       pulumi.StringOutput // its SSH host key as one line of authorized_keys: "ssh-ed25519 AAAA…"
	// Identity changes when another machine becomes the node. Scripts then run again.
	Identity pulumi.StringOutput
	// Machine is replaced when another machine becomes the node. It is deleted first.
	Machine pulumi.Resource
	// Presence is deleted when the machine leaves the stack. An existing machine is then given back. What the stack had on the
	// machine is DeletedWith(Presence).
	//
	// While Pulumi replaces Machine it still deletes what is DeletedWith(Machine), but not what is DeletedWith a resource
	// replaced alongside it. Presence is that resource.
	Presence pulumi.Resource
	// Memory is how much its workloads may use, in MiB.
	Memory int
	// Disk is for the node's data; nil: that is on the machine's own disk.
	Disk *Disk
	// Reachable are the resources that scripts need first: the route to the internet, and the packet filters.
	Reachable []pulumi.Resource

	ownPublicAddress bool

	dials      int // how often SSH tries to connect
	user       string
	port       int
	privateKey settings.Secret // empty: the SSH agent
	keyFile    string          // empty: the SSH agent
	commands   *command.Provider
	shell      Shell

	// A node that stands for one of others has them here, and which one that is. Name, role and private address are the first one's.
	among []*Node
	which pulumi.IntOutput
}

// Machines is the component of the nodes of a stack, and of the network that they are in.
type Machines struct {
	pulumi.ResourceState

	Nodes []*Node // in the address plan's order
	// NetworkLoadBalancer is in front of the load balancers' machines; nil: nothing is.
	NetworkLoadBalancer *NetworkLoadBalancer
}

// Demands is what the layers above need of the machines.
type Demands struct {
	// Traffic has to reach the nodes. Security groups and packet filters are made of it.
	Traffic []Rule
	// KeepsData are the roles whose nodes have data that must outlive a machine.
	KeepsData []topology.Role
	// Memory is how much the workloads on a node of each role may use, in MiB.
	Memory map[topology.Role]int
	// GiveBack returns the script that undoes what the layers above did to a node. It is for existing machines. It runs with
	// "delete" when the machine leaves the stack. With "create", when the machine joins, it refuses one on which another
	// deployment left something.
	GiveBack func(*Node) Script
	// Shell runs the scripts of resource hooks.
	Shell Shell
}

// New makes or takes the machines of the settings.
func New(ctx *pulumi.Context, s settings.Settings, demands Demands) (*Machines, error) {
	if err := sshStaysOpen(s, demands.Traffic); err != nil {
		return nil, err
	}
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
		machines.Nodes, machines.NetworkLoadBalancer, err = newAWS(ctx, s, demands, commands, inside)
	} else {
		machines.Nodes, err = newHosts(ctx, s, demands.GiveBack, commands, inside)
	}
	if err != nil {
		return nil, err
	}
	if err := newPacketFilters(ctx, machines.Nodes, allKept(s), demands.Traffic, commands, inside); err != nil {
		return nil, err
	}
	addresses := pulumi.StringMap{}
	for _, node := range machines.Nodes {
		node.shell, node.Memory = demands.Shell, demands.Memory[node.Role]
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

// Named returns the node with that name, or nil.
func (m *Machines) Named(name string) *Node {
	for _, node := range m.Nodes {
		if node.Name == name {
			return node
		}
	}
	return nil
}

// User returns the user that SSH logs in as.
func (n *Node) User() string { return n.user }

// HasOwnPublicAddress reports whether an interface of the machine may have the public address, besides the private one. On AWS none
// has: the internet gateway translates the public address into the private one.
func (n *Node) HasOwnPublicAddress() bool { return n.ownPublicAddress }

// Follow returns options that replace a Docker resource with its machine, and drop it from the state without a call when the
// machine is deleted.
func (n *Node) Follow() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.DeletedWith(n.Presence), pulumi.ReplaceWith([]pulumi.Resource{n.Machine})}
}

// newPresence makes the node's Presence from a command. On AWS the command does nothing.
func (n *Node) newPresence(ctx *pulumi.Context, arguments *local.CommandArgs, parent pulumi.ResourceOption) error {
	machine := []pulumi.Resource{n.Machine}
	presence, err := local.NewCommand(ctx, n.Name+"-presence", arguments,
		pulumi.Provider(n.commands), parent, pulumi.DependsOn(machine), pulumi.ReplaceWith(machine))
	n.Presence = presence
	return err
}

// connection says how pulumi-command logs in.
func (n *Node) connection() remote.ConnectionArgs {
	connection := remote.ConnectionArgs{
		Host:           n.PublicAddress,
		Port:           n.number(func(one *Node) int { return one.port }),
		User:           n.text(func(one *Node) string { return one.user }),
		HostKey:        n.HostKey,
		DialErrorLimit: pulumi.Int(n.dials),
		PerDialTimeout: pulumi.Int(10), // seconds
	}
	if n.privateKey != "" {
		connection.PrivateKey = AsSecret(n.privateKey).ToStringPtrOutput()
	}
	return connection
}

// How often SSH dials. The plugin's pause between dials grows from 0.1 s by half each time, to at most 5 s. Forty dials take 3
// minutes if connections are refused, and 10 if nothing answers. A new machine needs 1 or 2 minutes.
const (
	dialsOfNewMachine      = 40
	dialsOfExistingMachine = 12
)

// SSHOptions returns the arguments with which ssh logs in as pulumi-command does. Only the node's host key is accepted.
func (n *Node) SSHOptions() pulumi.StringArrayOutput {
	return n.HostKey.ApplyT(func(hostKey string) []string {
		options := []string{
			"-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=yes",
			"-o", "UserKnownHostsFile=/dev/null",
			"-o", "GlobalKnownHostsFile=/dev/null",
			// The key is in the option itself, so that no file is needed. OpenSSH 8.5 or newer has the option.
			"-o", "KnownHostsCommand=/bin/echo %H " + hostKey,
			"-o", "ConnectTimeout=15",
			"-o", "ServerAliveInterval=15",
			// The user's own configuration may have others, with which ssh does not say what is wrong, or runs something else.
			"-o", "LogLevel=INFO",
			"-o", "RemoteCommand=none",
		}
		if n.keyFile != "" {
			options = append(options, "-o", "IdentitiesOnly=yes", "-o", `IdentityFile="`+strings.ReplaceAll(n.keyFile, "%", "%%")+`"`)
		}
		return options
	}).(pulumi.StringArrayOutput)
}

// sshArguments returns all arguments of ssh but the command, with the options of SSHOptions and the node's public address.
func (n *Node) sshArguments(options []string, address string) []string {
	return append(append([]string{"-p", strconv.Itoa(n.port)}, options...), n.user+"@"+address)
}

// AsSecret returns a secret of the settings as an input that Pulumi encrypts.
func AsSecret(secret settings.Secret) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(secret.Reveal())).(pulumi.StringOutput)
}
