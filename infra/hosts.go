package infra

import (
	_ "embed"
	"slices"

	"al.essio.dev/pkg/shellescape"
	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

//go:embed scripts/leave.sh
var leaveScript string

// newHosts takes existing machines. A reinstalled machine has a new host key. Once the settings have that key, the stack puts
// everything on the machine again.
func newHosts(ctx *pulumi.Context, s settings.Settings, giveBack func(*Node) Script, commands *command.Provider, parent pulumi.ResourceOption) ([]*Node, error) {
	var nodes []*Node
	for i, host := range s.Hosts {
		node := &Node{
			Node:          s.Nodes[i],
			PublicAddress: pulumi.String(host.Address).ToStringOutput(),
			HostKey:       pulumi.String(host.HostKey).ToStringOutput(),
			Identity:      pulumi.String(host.HostKey).ToStringOutput(),
			// A host name may resolve to an address of the machine's own that is not the private one.
			ownPublicAddress: host.Address != host.PrivateAddress,
			dials:            dialsOfExistingMachine,
			user:             host.User,
			port:             host.Port,
			privateKey:       s.SSH.PrivateKey,
			keyFile:          s.SSH.PrivateKeyFile,
			commands:         commands,
		}
		if err := node.takeOver(ctx, withFilterRemoved(giveBack(node)), parent); err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// takeOver makes the resources that represent an existing machine. When the machine leaves the stack, giveBack clears it.
//
// Presence is a local command that calls ssh. A remote command fails if the machine is gone, and the stack could then never drop
// it.
func (n *Node) takeOver(ctx *pulumi.Context, giveBack Script, parent pulumi.ResourceOption) error {
	// ssh's arguments are in the environment. In the command they would fill a page of the error of a refused login.
	line := func(action string) pulumi.StringOutput {
		return pulumi.All(n.SSHOptions(), n.PublicAddress).ApplyT(func(parts []any) string {
			login := n.sshArguments(parts[0].([]string), parts[1].(string))
			return shellescape.QuoteCommand(slices.Concat([]string{"ssh"}, login, []string{string(commandLine(n.user, "give-back", action))}))
		}).(pulumi.StringOutput)
	}
	var err error
	n.Machine, err = local.NewCommand(ctx, n.Name+"-machine", &local.CommandArgs{},
		pulumi.Provider(n.commands), parent, pulumi.ReplacementTrigger(n.Identity), pulumi.DeleteBeforeReplace(true))
	if err != nil {
		return err
	}
	return n.newPresence(ctx, &local.CommandArgs{
		Create: pulumi.String(`sh -c "$LEAVE" leave "$SSH_CREATE"`),
		Update: pulumi.String(":"), // nothing to check: the stack has the machine already
		Delete: pulumi.String(`sh -c "$LEAVE" leave "$SSH_DELETE"`),
		Stdin:  giveBack.standardInput(n.Identity),
		Environment: pulumi.StringMap{
			"NODE_NAME":  pulumi.String(n.Name),
			"LEAVE":      pulumi.String(leaveScript),
			"SSH_CREATE": line("create"),
			"SSH_DELETE": line("delete"),
		},
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}, parent)
}
