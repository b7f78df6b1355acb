package infra

import (
	"maps"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Script is a shell script that runs on a node as root.
type Script struct {
	Text string // for bash; idempotent, because a changed text or variable runs it again
	// Variables are the script's environment. They travel with the script by standard input. So secrets never appear in a command
	// line, or in the error of a failed command.
	Variables map[string]pulumi.StringInput
	// When says when the script runs. Its first argument is "create" or "delete".
	When Occasion
}

// Occasion is when a script runs.
type Occasion int

// The occasions.
const (
	OnCreate          Occasion = iota // with "create", when the resource is created or changed
	OnCreateAndDelete                 // also with "delete", when the resource is deleted and the machine stays
	OnDelete                          // only with "delete"
)

// commandLine takes the script from standard input and runs it as root. The line has only the script's name and the action. A
// failed command prints this line and the script's output.
func commandLine(name, action string) pulumi.String {
	script := `bash -c "$script" ` + name + " " + action
	return pulumi.String(`script=$(cat); if [ "$(id -u)" -eq 0 ]; then ` + script + `; else sudo -n ` + script + `; fi`)
}

// Run makes a resource that runs a script on the node, and again whenever the script or a variable changes. Every remote command
// of the project is made here.
func (n *Node) Run(ctx *pulumi.Context, name string, script Script, options ...pulumi.ResourceOption) (*remote.Command, error) {
	arguments := &remote.CommandArgs{
		Connection: n.connection(),
		Stdin:      script.standardInput(n.Identity),
		// Otherwise the plugin passes the previous output in environment variables, which sshd refuses.
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}
	if script.When != OnDelete {
		arguments.Create = commandLine(name, "create").ToStringPtrOutput()
	}
	if script.When != OnCreate {
		arguments.Delete = commandLine(name, "delete").ToStringPtrOutput()
		// Otherwise `pulumi up --replace` undoes what it has just made.
		options = append(options, pulumi.DeleteBeforeReplace(true))
	}
	return remote.NewCommand(ctx, name, arguments, slices.Concat(
		[]pulumi.ResourceOption{pulumi.Provider(n.commands), pulumi.DependsOn(n.Reachable), pulumi.DeletedWith(n.Presence)}, options)...)
}

// standardInput returns the script behind its variables, quoted for the shell and sorted by name.
//
// The machine's identity is one of the variables. So when a machine takes another one's place, the script runs again. That is an
// update and no replacement, because nothing on the old machine is left to be deleted.
func (s Script) standardInput(identity pulumi.StringInput) pulumi.StringOutput {
	variables := maps.Clone(s.Variables)
	if variables == nil {
		variables = map[string]pulumi.StringInput{}
	}
	variables["SWARM_SCALE_MACHINE"] = identity
	names := slices.Sorted(maps.Keys(variables))
	values := pulumi.StringArray{}
	for _, name := range names {
		values = append(values, variables[name])
	}
	return values.ToStringArrayOutput().ApplyT(func(values []string) string {
		var text strings.Builder
		for i, name := range names {
			text.WriteString("export " + name + "=" + shellescape.Quote(values[i]) + "\n")
		}
		return text.String() + s.Text
	}).(pulumi.StringOutput)
}
