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
	Text string // the whole script, for bash; idempotent, since a change of anything in it or given to it runs it again
	// Variables are set in the script's environment. Secret values stay secret: they travel, as the script does, by
	// standard input and never stand in a command line or in the error of a command that fails.
	Variables map[string]pulumi.StringInput
	// When says at which moments of the resource's life the script runs; its first argument tells it which one it is.
	When Occasion
}

// Occasion is when a script runs.
type Occasion int

// The occasions.
const (
	OnCreate          Occasion = iota // when the resource is created or changed, with "create" as argument
	OnCreateAndDelete                 // that, and with "delete" when the resource goes away and the machine does not
	OnDelete                          // only the latter
)

// commandLine takes the script from standard input and runs it as root. Nothing differs between two scripts but their name
// and the action, so that a failing command prints this one line and what the script had to say.
func commandLine(name, action string) pulumi.String {
	script := `bash -c "$script" ` + name + " " + action
	return pulumi.String(`script=$(cat); if [ "$(id -u)" -eq 0 ]; then ` + script + `; else sudo -n ` + script + `; fi`)
}

// Run runs a script on the node when the resource is created, and again whenever the script or its variables change. Every
// remote command of the project goes through here.
func (n *Node) Run(ctx *pulumi.Context, name string, script Script, options ...pulumi.ResourceOption) (*remote.Command, error) {
	arguments := &remote.CommandArgs{
		Connection: n.connection(),
		Stdin:      script.standardInput(n.Identity),
		// The plugin would hand a command its predecessor's output by environment variables that sshd refuses.
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}
	if script.When != OnDelete {
		arguments.Create = commandLine(name, "create").ToStringPtrOutput()
	}
	if script.When != OnCreate {
		arguments.Delete = commandLine(name, "delete").ToStringPtrOutput()
		// `pulumi up --replace` would otherwise take away what it has just made.
		options = append(options, pulumi.DeleteBeforeReplace(true))
	}
	return remote.NewCommand(ctx, name, arguments, slices.Concat(
		[]pulumi.ResourceOption{pulumi.Provider(n.commands), pulumi.DependsOn(n.Reachable), pulumi.DeletedWith(n.Presence)}, options)...)
}

// standardInput is the script with its variables in front, each quoted for the shell, in the order of their names.
//
// The machine's identity stands among them: on a machine that takes another one's place the script runs again, as an update
// and not as a replacement, because nothing of the old machine is left to be removed.
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
