package infra

import (
	_ "embed"
	"net"
	"strconv"

	"al.essio.dev/pkg/shellescape"
	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

var (
	//go:embed scripts/give-back.sh
	giveBackScript string
	//go:embed scripts/leave.sh
	leaveScript string
)

// newHosts takes machines that exist already. A machine that was made anew shows a new host key; once that stands in the
// settings, everything that lived on the old machine is put on the new one.
func newHosts(ctx *pulumi.Context, s settings.Settings, commands *command.Provider, parent pulumi.ResourceOption) ([]*Node, error) {
	var nodes []*Node
	for i, host := range s.Hosts {
		node := &Node{
			Node:          s.Nodes[i],
			PublicAddress: pulumi.String(host.Address).ToStringOutput(),
			HostKey:       pulumi.String(host.HostKey).ToStringOutput(),
			Identity:      pulumi.String(host.HostKey).ToStringOutput(),
			// A host name may lead anywhere; the private address is then as good a guess.
			ownPublicAddress: host.Address != host.PrivateAddress && net.ParseIP(host.Address) != nil,
			dials:            dialsOfExistingMachine,
			user:             host.User,
			port:             host.Port,
			privateKey:       s.SSH.PrivateKey,
			keyFile:          s.SSH.PrivateKeyFile,
			commands:         commands,
		}
		if err := node.takeOver(ctx, parent); err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// takeOver makes what stands in the stack for a machine that is not the stack's own. When the machine leaves the stack it is given back,
// all of the stack's cleared from it at once. It is not a remote command: those fail where a machine is gone for good, and
// what was on it could then never be forgotten.
func (n *Node) takeOver(ctx *pulumi.Context, parent pulumi.ResourceOption) error {
	giveBack := Script{Text: giveBackScript, Variables: map[string]pulumi.StringInput{
		"NODE_NAME": pulumi.String(n.Name), "MARK": pulumi.String(Mark), "NOTES": pulumi.String(Notes), "LOGIN_USER": pulumi.String(n.user),
	}}
	// What ssh is given stands in the environment, so that the error of a machine that refuses the login is not a page long.
	line := func(action string) pulumi.StringOutput {
		return pulumi.All(n.SSHOptions(), n.PublicAddress).ApplyT(func(parts []any) string {
			line := append([]string{"ssh", "-p", strconv.Itoa(n.port)}, parts[0].([]string)...)
			line = append(line, n.user+"@"+parts[1].(string), string(commandLine("give-back", action)))
			return shellescape.QuoteCommand(line)
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
		Update: pulumi.String(":"), // by then what is there is this stack's
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
