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

	"go.yaml.in/yaml/v3"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// stackName is the stack's, and so that of its settings file.
const stackName = "lab"

// Stack is the stack of Pulumi.lab.yaml on a lab, by plain Pulumi. Its state, secrets and complete settings are in the lab's
// folder, and nowhere else.
type Stack struct {
	lab    *Lab
	root   string // of this module
	output io.Writer
}

// NewStack is the lab's stack, there or not. What Pulumi prints goes to the output.
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

// Deploy runs pulumi up and says how to vote. Counts that are not zero go before those of the lab: hosts that they leave out
// stay, with nothing on them.
func (s *Stack) Deploy(ctx context.Context, counts topology.Counts) error {
	if err := s.missing(ctx); err != nil {
		return err
	}
	for _, host := range s.lab.hosts {
		if host.HostKey == "" {
			return errors.New("the lab is not up: bring it up first (make lab-up)")
		}
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

// Destroy runs pulumi destroy. A stack that was never deployed is destroyed.
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

// missing has a line for every program that a deployment lacks on this machine, joined.
func (s *Stack) missing(ctx context.Context) error {
	var faults []error
	if _, err := exec.LookPath("ssh"); err != nil {
		faults = append(faults, errors.New("ssh is not on PATH: install OpenSSH's client, 8.5 or newer"))
	}
	cli, err := exec.LookPath("pulumi")
	if err != nil {
		return errors.Join(append(faults, errors.New("pulumi is not on PATH: install it (https://www.pulumi.com/docs/install)"))...)
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

// languageHost looks where Pulumi looks for the program that runs Go programs for it.
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
	return fmt.Errorf("%s is not beside %s nor on PATH: install Pulumi as it is distributed (https://www.pulumi.com/docs/install), which has it", name, cli)
}

// plugin sees to it that a plugin is there, of the version that the program was written for.
func (s *Stack) plugin(ctx context.Context, name, module string) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module)
	list.Dir = s.root
	output, err := list.Output()
	if err != nil {
		return fmt.Errorf("which version of the plugin %s: %w", name, err)
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

// create makes the stack, unless it is there. It is made in a folder of its own, because Pulumi writes what the stack's
// secrets are encrypted with into the settings beside the project, and those of this module are for everybody.
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

// writeSettings writes what Pulumi.lab.yaml says, what this lab adds to it, and the secrets there are.
func (s *Stack) writeSettings(counts topology.Counts) error {
	common, err := os.ReadFile(filepath.Join(s.root, "Pulumi."+stackName+".yaml"))
	if err != nil {
		return err
	}
	own, err := os.ReadFile(s.settingsFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	config := s.lab.Config()
	for role, key := range settings.CountKeys() {
		if count, ok := counts[role]; ok {
			config[key] = count
		}
	}
	merged, err := mergeSettings(common, own, config)
	if err != nil {
		return err
	}
	return os.WriteFile(s.settingsFile(), merged, 0o600)
}

// mergeSettings is a settings file with the common file's settings, those of the lab in their place, and of the lab's own
// file what encrypts the secrets, and the secrets.
func mergeSettings(common, own []byte, config map[string]any) ([]byte, error) {
	type file = map[string]any
	var merged, kept file
	if err := errors.Join(yaml.Unmarshal(common, &merged), yaml.Unmarshal(own, &kept)); err != nil {
		return nil, err
	}
	all := map[string]any{}
	if given, ok := merged["config"].(file); ok {
		maps.Copy(all, given)
	}
	for key, value := range config {
		all[settings.Namespace+":"+key] = value
	}
	if given, ok := kept["config"].(file); ok {
		for key, value := range given {
			if fields, ok := value.(file); ok && len(fields) == 1 && fields["secure"] != nil {
				all[key] = value
			}
		}
	}
	delete(kept, "config")
	if merged == nil {
		merged = file{}
	}
	maps.Copy(merged, kept)
	merged["config"] = all
	return yaml.Marshal(merged)
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
		// By standard input: arguments can be seen by everybody on the machine.
		if _, err := s.ask(ctx, s.projectFolder(), strings.NewReader(secrets[name]), "config", "set", "--stack", stackName, "--secret", name); err != nil {
			return err
		}
	}
	return nil
}

// sayHowToVote prints where the poll is.
func (s *Stack) sayHowToVote(ctx context.Context) error {
	// The address of the statistics has their password, which is this person's own.
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

// run has Pulumi work on the stack, for a person to see.
func (s *Stack) run(ctx context.Context, arguments ...string) error {
	command := s.command(ctx, s.root, append(arguments, "--stack", stackName, "--config-file", s.settingsFile())...)
	command.Stdout, command.Stderr = s.output, s.output
	if err := command.Run(); err != nil {
		return fmt.Errorf("pulumi %s failed (%w): what it says is above", arguments[0], err)
	}
	return nil
}

// ask returns what Pulumi prints on standard output.
func (s *Stack) ask(ctx context.Context, folder string, input io.Reader, arguments ...string) (string, error) {
	var output, complaints bytes.Buffer
	command := s.command(ctx, folder, append(arguments, "--non-interactive")...)
	command.Stdin, command.Stdout, command.Stderr = input, &output, &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("pulumi %s: %w\n%s", strings.Join(arguments, " "), err, bytes.TrimSpace(complaints.Bytes()))
	}
	return output.String(), nil
}

// command is Pulumi with the lab's state and passphrase.
func (s *Stack) command(ctx context.Context, folder string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "pulumi", arguments...)
	command.Dir = folder
	// Of two passphrases Pulumi takes the one that is not in a file.
	command.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "PULUMI_CONFIG_PASSPHRASE=")
	}),
		"PULUMI_BACKEND_URL=file://"+filepath.Join(s.lab.folder, "state"),
		"PULUMI_CONFIG_PASSPHRASE_FILE="+s.passphraseFile(),
		"PULUMI_SKIP_UPDATE_CHECK=true",
		// The program names a plugin for AWS, too, which the lab has no use for and which is hundreds of megabytes.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	)
	return command
}
