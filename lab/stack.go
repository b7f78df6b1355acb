package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// stackName is the name of the stack, and part of the name of its settings file.
const stackName = "lab"

// Stack is the stack of Pulumi.lab.yaml on a lab. It calls the program pulumi. State, secrets and complete settings are in the lab's
// folder only.
type Stack struct {
	lab    *Lab
	root   string // of this module
	output io.Writer
}

// NewStack returns the lab's stack, deployed or not. Pulumi prints to the output.
func NewStack(l *Lab, output io.Writer) (*Stack, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	root, err := moduleFolder()
	return &Stack{l, root, output}, err
}

func (s *Stack) projectFolder() string { return filepath.Join(s.lab.folder, "project") }
func (s *Stack) settingsFile() string {
	return filepath.Join(s.projectFolder(), "Pulumi."+stackName+".yaml")
}
func (s *Stack) passphraseFile() string { return filepath.Join(s.lab.folder, "passphrase") }

// Deploy runs pulumi up, and prints how to vote. The counts override those of the lab. A host without a node stays empty.
func (s *Stack) Deploy(ctx context.Context, counts topology.Counts) error {
	for _, host := range s.lab.hosts {
		if host.HostKey == "" {
			return errors.New("the lab is not up: bring it up first (make lab-up)")
		}
	}
	if err := s.missing(ctx); err != nil {
		return err
	}
	if err := s.create(ctx); err != nil {
		return err
	}
	if err := s.writeSettings(counts); err != nil {
		return fmt.Errorf("writing the stack's settings: %w", err)
	}
	if err := s.makeSecrets(ctx); err != nil {
		return err
	}
	if err := s.run(ctx, "up", "--yes"); err != nil {
		return err
	}
	return s.sayHowToVote(ctx)
}

// Destroy runs pulumi destroy. For a stack that was never deployed it does nothing.
func (s *Stack) Destroy(ctx context.Context) error {
	if _, err := os.Stat(s.settingsFile()); errors.Is(err, fs.ErrNotExist) {
		s.lab.say("lab: there is no stack")
		return nil
	}
	if err := s.missing(ctx); err != nil {
		return err
	}
	return s.run(ctx, "destroy", "--yes")
}

// missing returns an error that joins one for every program that a deployment lacks on this machine.
func (s *Stack) missing(ctx context.Context) error {
	var faults []error
	if _, err := exec.LookPath("ssh"); err != nil {
		faults = append(faults, errors.New("ssh is not on PATH: install OpenSSH's client, 8.5 or newer"))
	}
	cli, err := exec.LookPath("pulumi")
	if err != nil {
		return errors.Join(append(faults, errors.New("pulumi is not on PATH: install its whole distribution (https://www.pulumi.com/docs/install): the CLI alone, as `make pulumi` builds it, runs no Go program"))...)
	}
	faults = append(faults, languageHost(cli))
	for _, plugin := range []struct{ name, module string }{
		{"docker", "github.com/pulumi/pulumi-docker/sdk/v4"},
		{"command", "github.com/pulumi/pulumi-command/sdk"},
	} {
		faults = append(faults, s.plugin(ctx, plugin.name, plugin.module))
	}
	return errors.Join(faults...)
}

// languageHost returns an error unless pulumi-language-go, which runs Go programs for Pulumi, is where Pulumi looks for it.
func languageHost(cli string) error {
	const name = "pulumi-language-go"
	if _, err := exec.LookPath(name); err == nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(cli); err == nil {
		if _, err := os.Stat(filepath.Join(filepath.Dir(real), name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s is neither beside %s nor on PATH: install the whole distribution of Pulumi (https://www.pulumi.com/docs/install)", name, cli)
}

// plugin installs a plugin of the version in go.mod, unless it is installed.
func (s *Stack) plugin(ctx context.Context, name, module string) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module)
	list.Dir = s.root
	output, err := list.Output()
	if err != nil {
		return fmt.Errorf("reading the version of the plugin %s: %w", name, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(output)), "v")
	text, err := s.ask(ctx, s.root, nil, "plugin", "ls", "--json")
	if err != nil {
		return err
	}
	var installed []struct{ Name, Kind, Version string }
	if err := json.Unmarshal([]byte(text), &installed); err != nil {
		return fmt.Errorf("pulumi plugin ls: %w", err)
	}
	for _, plugin := range installed {
		if plugin.Kind == "resource" && plugin.Name == name && plugin.Version == version {
			return nil
		}
	}
	s.lab.say("lab: installing Pulumi's plugin %s %s", name, version)
	if _, err := s.ask(ctx, s.root, nil, "plugin", "install", "resource", name, version); err != nil {
		return fmt.Errorf("plugin %s %s: it is not installed, and Pulumi cannot install it: connect this machine to the internet (%w)", name, version, err)
	}
	return nil
}

// create makes the stack, unless it exists. Pulumi writes the encryption salt of the stack's secrets into the settings file beside
// Pulumi.yaml. Pulumi.lab.yaml is for every lab, so the stack has a project folder of its own.
func (s *Stack) create(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(s.lab.folder, "state"), 0o700); err != nil {
		return err
	}
	if err := os.MkdirAll(s.projectFolder(), 0o700); err != nil {
		return err
	}
	project, err := os.ReadFile(filepath.Join(s.root, "Pulumi.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.projectFolder(), "Pulumi.yaml"), project, 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(s.passphraseFile()); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(s.passphraseFile(), []byte(rand.Text()), 0o600); err != nil {
			return err
		}
	}
	list, err := s.ask(ctx, s.projectFolder(), nil, "stack", "ls", "--json")
	if err != nil {
		return err
	}
	var stacks []struct{ Name string }
	if err := json.Unmarshal([]byte(list), &stacks); err != nil {
		return fmt.Errorf("pulumi stack ls: %w", err)
	}
	for _, stack := range stacks {
		if stack.Name == stackName {
			return nil
		}
	}
	_, err = s.ask(ctx, s.projectFolder(), nil, "stack", "init", "--no-select", stackName)
	return err
}

// makeSecrets sets the secrets that the stack does not have yet.
func (s *Stack) makeSecrets(ctx context.Context) error {
	content, err := os.ReadFile(s.settingsFile())
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	secrets := map[string]string{"postgresPassword": rand.Text(), "voterKey": base64.StdEncoding.EncodeToString(key)}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if bytes.Contains(content, []byte(settings.Namespace+":"+name+":")) {
			continue
		}
		// By standard input, because everybody on the machine can read arguments.
		if _, err := s.ask(ctx, s.projectFolder(), strings.NewReader(secrets[name]), "config", "set", "--stack", stackName, "--secret", name); err != nil {
			return err
		}
	}
	return nil
}

// sayHowToVote prints the poll's URLs.
func (s *Stack) sayHowToVote(ctx context.Context) error {
	// The statistics' URL has the password in it, which is for this person.
	text, err := s.ask(ctx, s.projectFolder(), nil, "stack", "output", "--stack", stackName, "--json", "--show-secrets")
	if err != nil {
		return err
	}
	var outputs struct{ VoteURL, ResultsURL, StatisticsURL, HostsFileLine string }
	if err := json.Unmarshal([]byte(text), &outputs); err != nil {
		return fmt.Errorf("pulumi stack output: %w", err)
	}
	_, err = fmt.Fprintf(s.output, `
No name server knows the vote page yet. Tell this machine where it is, once:
  echo '%s' | sudo tee -a /etc/hosts

Then vote at  %s
Results at    %s
Statistics at %s
A machine:    ssh -F %s manager
`, outputs.HostsFileLine, outputs.VoteURL, outputs.ResultsURL, outputs.StatisticsURL, s.lab.sshConfigFile())
	return err
}

// run runs Pulumi on the stack, and prints its output.
func (s *Stack) run(ctx context.Context, arguments ...string) error {
	command := s.command(ctx, s.root, append(arguments, "--stack", stackName, "--config-file", s.settingsFile())...)
	command.Stdout, command.Stderr = s.output, s.output
	if err := command.Run(); err != nil {
		return fmt.Errorf("pulumi %s failed (%w): its output is above", arguments[0], err)
	}
	return nil
}

// ask runs Pulumi and returns its standard output. The error has the standard error.
func (s *Stack) ask(ctx context.Context, folder string, input io.Reader, arguments ...string) (string, error) {
	var output, complaints bytes.Buffer
	command := s.command(ctx, folder, append(arguments, "--non-interactive")...)
	command.Stdin, command.Stdout, command.Stderr = input, &output, &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("pulumi %s: %w\n%s", strings.Join(arguments, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return output.String(), nil
}

// notForPulumi are variables of this machine that Pulumi does not get. It prefers a passphrase in PULUMI_CONFIG_PASSPHRASE to the one in
// a file. The lab's hosts are reached with the lab's own key, and without this machine's Docker.
var notForPulumi = append(settings.DockerVariables(), "PULUMI_CONFIG_PASSPHRASE", "SSH_AUTH_SOCK")

// command returns a command that runs Pulumi with the lab's state and passphrase.
func (s *Stack) command(ctx context.Context, folder string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "pulumi", arguments...)
	endByItself(command, s.lab.say)
	command.Dir = folder
	command.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(notForPulumi, name)
	}),
		// Without files of metadata. A Pulumi that is killed may leave one empty, and then nothing can read the state.
		"PULUMI_BACKEND_URL=file://"+filepath.Join(s.lab.folder, "state")+"?metadata=skip",
		"PULUMI_CONFIG_PASSPHRASE_FILE="+s.passphraseFile(),
		"PULUMI_SKIP_UPDATE_CHECK=true",
		// The program names the AWS plugin, too. The lab does not need it, and it has hundreds of megabytes.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	)
	return command
}
