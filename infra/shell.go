package infra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Shell runs a script on a node at once and returns what it prints on standard output. An error has what it prints on standard
// error.
type Shell func(ctx context.Context, login Login, script string) (string, error)

// Login is how a node is reached.
type Login struct {
	Node      string   // the node's name
	Arguments []string // of ssh, without the command
	Command   string   // runs the script that comes by standard input
}

// SSH is the Shell that calls the program ssh. The docker provider calls it, too.
func SSH(ctx context.Context, login Login, script string) (string, error) {
	command := exec.CommandContext(ctx, "ssh", slices.Concat(login.Arguments, []string{login.Command})...)
	var output, complaints bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(script), &output, &complaints
	if err := command.Run(); err != nil {
		if said := strings.TrimSpace(complaints.String()); said != "" {
			return "", errors.New(said)
		}
		return "", fmt.Errorf("ssh to %s: %w", login.Node, err)
	}
	return output.String(), nil
}

// Remote runs a script on a node at once, as root. Resource hooks use it: they run in this program, while Pulumi changes a resource.
type Remote struct {
	node  *Node
	ctx   context.Context
	known chan struct{} // closed once the others are set
	one   *Node         // node, or the one that it stands for
	login []string      // the arguments of ssh
	id    string        // the machine's identity
}

// Remote returns the node's Remote. It may be used before the node's address is known, and then waits for it.
func (n *Node) Remote(ctx *pulumi.Context) *Remote {
	remote := &Remote{node: n, ctx: ctx.Context(), known: make(chan struct{})}
	pulumi.All(n.SSHOptions(), n.PublicAddress, n.Identity, n.index()).ApplyT(func(parts []any) bool {
		remote.one = n.one(parts[3].(int))
		remote.login = remote.one.sshArguments(parts[0].([]string), parts[1].(string))
		remote.id = parts[2].(string)
		close(remote.known)
		return true
	})
	return remote
}

// Run runs a script with these variables, and returns what it prints on standard output.
func (r *Remote) Run(name, text string, variables map[string]string) (string, error) {
	select {
	case <-r.known:
	case <-r.ctx.Done():
		return "", r.ctx.Err()
	}
	login := Login{Node: r.one.Name, Arguments: r.login, Command: string(commandLine(r.one.user, name, "create"))}
	return r.one.shell(r.ctx, login, compose(text, variables, r.id))
}
