package infra

import (
	_ "embed"
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
	// SecretOutput keeps the script's standard output from being shown, and has it encrypted in the state.
	SecretOutput bool
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

// Head is what stands in front of every script on a node. It frees the script from what the login has set: umask, environment,
// standard input. Its function outside runs a command that goes to the internet, by the machine's proxy if there is one.
//
//go:embed scripts/head.sh
var Head string

// commandLine has bash run its standard input as root, with the action as its argument. Everybody on the node sees command lines,
// and sudo logs them, so the line has only the action and the script's name. It means the same to every login shell.
func commandLine(user, name, action string) pulumi.String {
	// With -p bash takes no functions and no start-up file from the environment.
	line := "bash -p -s -- " + action + " " + name
	if user != "root" {
		line = "sudo -n " + line
	}
	return pulumi.String(line)
}

// commandLine is the command line on the node.
func (n *Node) commandLine(name, action string) pulumi.StringOutput {
	return n.text(func(one *Node) string { return string(commandLine(one.user, name, action)) })
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
	if script.SecretOutput {
		arguments.Logging = remote.LoggingStderr
		options = append(options, pulumi.AdditionalSecretOutputs([]string{"stdout"}))
	}
	if script.When != OnDelete {
		arguments.Create = n.commandLine(name, "create").ToStringPtrOutput()
	}
	if script.When != OnCreate {
		arguments.Delete = n.commandLine(name, "delete").ToStringPtrOutput()
		// Otherwise `pulumi up --replace` undoes what it has just made.
		options = append(options, pulumi.DeleteBeforeReplace(true))
	}
	basic := []pulumi.ResourceOption{pulumi.Provider(n.commands), pulumi.DependsOn(n.Reachable)}
	if n.Presence != nil { // it stands for itself
		basic = append(basic, pulumi.DeletedWith(n.Presence))
	}
	return remote.NewCommand(ctx, name, arguments, slices.Concat(basic, options)...)
}

// standardInput returns what bash reads.
//
// The machine's identity is one of the variables. So when a machine takes another one's place, the script runs again. That is an
// update and no replacement, because nothing on the old machine is left to be deleted.
func (s Script) standardInput(identity pulumi.StringInput) pulumi.StringOutput {
	return pulumi.All(pulumi.StringMap(s.Variables), identity).ApplyT(func(values []any) string {
		return compose(s.Text, values[0].(map[string]string), values[1].(string))
	}).(pulumi.StringOutput)
}

// compose returns what bash reads: head.sh, the variables, quoted for the shell and sorted by name, and the script. Braces
// surround it. So bash reads everything before it runs anything. No command of the script reads the rest of the script as its own
// input, and a script that is cut off does not run.
func compose(script string, variables map[string]string, identity string) string {
	variables = maps.Clone(variables)
	if variables == nil {
		variables = map[string]string{}
	}
	variables["SWARM_SCALE_MACHINE"] = identity
	var text strings.Builder
	text.WriteString("{\n" + Head)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		text.WriteString("export " + name + "=" + shellescape.Quote(variables[name]) + "\n")
	}
	return text.String() + script + "\n}\n"
}
