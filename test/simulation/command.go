package simulation

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// Execution is a command that the simulated command provider is to run.
type Execution struct {
	// World is where it runs.
	World *World
	// URN and Name are the resource's.
	URN  resource.URN
	Name string
	// Op says which of the resource's commands it is.
	Op Operation
	// Local is true for a command on the machine of the Pulumi engine, false for
	// one over SSH.
	Local bool
	// Host is the address a remote command dials.
	Host string
	// Text is the command.
	Text string
	// Stdin is what it is given to read.
	Stdin string
	// Environment are its environment variables.
	Environment map[string]string
}

// Outcome is what became of a command.
type Outcome struct {
	// Stdout and Stderr are its outputs.
	Stdout, Stderr string
	// Took is how long it takes in reality; 0 for the type's usual time.
	Took time.Duration
}

// Runner plays a command. An error is the command's failure.
type Runner func(Execution) (Outcome, error)

type commandRule struct {
	pattern *regexp.Regexp
	run     Runner
}

// OnCommand has a runner play every command whose text, URN or resource name
// matches the pattern, in which * stands for any text. The rule added last
// counts. A command without a rule prints nothing and succeeds. A local one
// that mentions ssh-keygen prints a new Ed25519 private key.
func (w *World) OnCommand(pattern string, run Runner) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands = append([]commandRule{{pattern: glob(pattern), run: run}}, w.commands...)
}

// CommandTakes is OnCommand for commands that print nothing and take this long
// in reality.
func (w *World) CommandTakes(pattern string, took time.Duration) {
	w.OnCommand(pattern, func(Execution) (Outcome, error) { return Outcome{Took: took}, nil })
}

// play finds the rule for a command and has it run.
func (w *World) play(e Execution) (Outcome, error) {
	w.mu.Lock()
	rules := w.commands
	w.mu.Unlock()
	for _, rule := range rules {
		if rule.pattern.MatchString(e.Text) || matches(rule.pattern, "", e.URN) {
			return rule.run(e)
		}
	}
	if e.Local && strings.Contains(e.Text, "ssh-keygen") {
		key, err := NewHostKey()
		return Outcome{Stdout: key}, err
	}
	return Outcome{}, nil
}

// NewHostKey makes an Ed25519 private key in OpenSSH's format.
func NewHostKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generate an Ed25519 key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", fmt.Errorf("encode an Ed25519 key: %w", err)
	}
	return string(pem.EncodeToMemory(block)), nil
}

// Command returns the simulated command provider. The durations are assumed.
func Command() *Package {
	return &Package{
		Name:      "command",
		Version:   "1.2.1",
		Resources: []*Resource{localCommand(), remoteCommand()},
	}
}

func localCommand() *Resource {
	return &Resource{
		Token:     "command:local:Command",
		Replace:   []string{"triggers"},
		ID:        func(c *Call) string { return c.Name + hexDigits(nil, 8) },
		Run:       runCommand,
		Untracked: true,
		Outputs:   commandOutputs(),
		Times:     Times{Create: 200 * time.Millisecond, Update: 200 * time.Millisecond},
	}
}

func remoteCommand() *Resource {
	return &Resource{
		Token:     "command:remote:Command",
		Required:  []string{"connection"},
		Secret:    []string{"connection"},
		Replace:   []string{"triggers"},
		ID:        func(c *Call) string { return c.Name + hexDigits(nil, 8) },
		Dials:     dialSSH,
		On:        func(c *Call) []string { return []string{c.Text("connection", "host")} },
		Run:       runCommand,
		Untracked: true,
		Outputs:   commandOutputs(),
		Times:     Times{Create: 2 * time.Second, Update: 2 * time.Second},
	}
}

// commandOutputs are what a command printed; any changed input runs it again.
func commandOutputs() []Output {
	return []Output{{Name: "stdout", Follows: []string{"*"}}, {Name: "stderr", Follows: []string{"*"}}}
}

// commandText returns what an operation runs, "" for nothing. An update without
// a command of its own runs the one of create.
func commandText(c *Call) string {
	switch c.Op {
	case Create:
		return c.Text("create")
	case Update:
		if text := c.Text("update"); text != "" {
			return text
		}
		return c.Text("create")
	case Delete:
		return c.Text("delete")
	}
	return ""
}

// dialSSH returns the hosts that a remote command reaches, its proxy and its
// host. A preview and an operation without a command reach none.
func dialSSH(c *Call) []Dial {
	if c.Preview || commandText(c) == "" {
		return nil
	}
	var dials []Dial
	for _, host := range []string{c.Text("connection", "proxy", "host"), c.Text("connection", "host")} {
		dials = append(dials, Dial{
			Host:   host,
			Failed: fmt.Errorf("after 10 failed attempts: dial tcp %s:22: i/o timeout", host),
		})
	}
	return dials
}

// runCommand plays a resource's command.
func runCommand(c *Call) (resource.PropertyMap, time.Duration, error) {
	command := commandText(c)
	outputs := resource.PropertyMap{}
	for _, name := range []resource.PropertyKey{"stdout", "stderr"} {
		outputs[name] = resource.NewStringProperty(text(c.OldOutputs, string(name)))
	}
	if command == "" {
		return outputs, time.Millisecond, nil
	}
	environment := map[string]string{}
	if given := c.Inputs["environment"]; given.IsObject() {
		for key, value := range given.ObjectValue() {
			environment[string(key)] = strings.Join(texts(value), "")
		}
	}
	outcome, err := c.World.play(Execution{
		World: c.World, URN: c.URN, Name: c.Name, Op: c.Op, Local: string(c.URN.Type()) == "command:local:Command",
		Host: c.Text("connection", "host"), Text: command, Stdin: c.Text("stdin"), Environment: environment,
	})
	if err != nil {
		return nil, outcome.Took, fmt.Errorf("%w: running %q:\n%s", err, command, outcome.Stdout+outcome.Stderr)
	}
	outputs["stdout"] = resource.NewStringProperty(strings.TrimSuffix(outcome.Stdout, "\n"))
	outputs["stderr"] = resource.NewStringProperty(strings.TrimSuffix(outcome.Stderr, "\n"))
	return outputs, outcome.Took, nil
}
