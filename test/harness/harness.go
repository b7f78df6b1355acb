// Package harness runs a Pulumi program with the real Pulumi engine on simulated
// providers: the CLI, driven by the Automation API, with a file backend in a
// temporary folder, no plugin, no network and no account. Options.Plugins has
// the installed providers do the work instead.
//
//	e := harness.Test(t, harness.Options{
//		Program: stack.Deploy,
//		Project: "../Pulumi.yaml",
//		Config:  map[string]any{"frontends": 3},
//		Secrets: map[string]string{"postgresPassword": "correct horse"},
//	})
//	result, err := e.Up(ctx)
//	...
//	e.World.MachineDead("frontend02")
//	result, err = e.Destroy(ctx)
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"go.yaml.in/yaml/v3"

	"swarm-scale/test/simulation"
)

// Options say what to run and with which settings.
type Options struct {
	// Program is the Pulumi program. Required.
	Program pulumi.RunFunc
	// Project is the path of the Pulumi.yaml whose name, declared settings and
	// defaults apply, and whose folder is the one relative paths of build
	// contexts start from. Without it the project is named "simulation" and has
	// no declared settings.
	Project string
	// Settings is the path of a stack's settings file, such as Pulumi.dev.yaml,
	// to start from. It may hold no secrets.
	Settings string
	// Config are settings that add to those or override them. A key without a
	// namespace belongs to the project; values are what YAML can hold.
	Config map[string]any
	// Secrets are settings kept as secrets.
	Secrets map[string]string
	// Stack is the stack's name, "dev" by default.
	Stack string
	// World is the world to run in, by default an empty one where every
	// operation is instant.
	World *simulation.World
	// Plugins has the real providers do the work: the plugins that are installed
	// where this user's Pulumi keeps them ($PULUMI_HOME/plugins). There is no
	// World then, and nothing is installed on the way. It needs a Project.
	Plugins bool
	// Parallel is the number of resource operations at a time; 0 for the
	// engine's default, which depends on the machine.
	Parallel int
	// SaveAtEnd has the engine write the state once, when an operation ends,
	// instead of after every step. With a file backend that is what takes the
	// time of a large stack: each step writes the whole of it.
	SaveAtEnd bool
	// OnEvent is told what the engine does as it does it, from one goroutine.
	OnEvent func(events.EngineEvent)
	// Log receives what the CLI prints. Discarded by default.
	Log io.Writer
}

// Stack is one stack of one program, in a world. It runs one operation at a time.
type Stack struct {
	// World is what the simulated providers work on; nil with Options.Plugins.
	World *simulation.World

	options    Options
	project    string
	dir        string
	backend    string
	attachment *simulation.Attachment
	stack      auto.Stack
}

// passphrase encrypts the secrets in the state, which lasts as long as a test.
const passphrase = "simulation"

// ErrNoCLI is returned when there is no Pulumi CLI to run.
var ErrNoCLI = errors.New("no pulumi CLI on PATH nor in .bin of the repository: run `make tools`, which builds the pinned one")

// FindCLI returns the path of the Pulumi CLI: the one built into the .bin folder
// of the module that the working directory is in, or the one on PATH.
func FindCLI() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		path := filepath.Join(dir, ".bin", "pulumi")
		if info, statErr := os.Stat(path); statErr == nil && info.Mode().IsRegular() {
			return path, nil
		}
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	path, err := exec.LookPath("pulumi")
	if err != nil {
		return "", ErrNoCLI
	}
	return filepath.Abs(path)
}

// Test is New for a test: it skips the test, saying why, where there is no
// Pulumi CLI, fails it on any other error, and closes the engine at its end.
func Test(t testing.TB, options Options) *Stack {
	t.Helper()
	e, err := New(t.Context(), options)
	if errors.Is(err, ErrNoCLI) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// New prepares a stack with nothing in it. Close it when done.
func New(ctx context.Context, options Options) (_ *Stack, err error) {
	if options.Program == nil {
		return nil, errors.New("harness.Options has no Program")
	}
	cli, err := FindCLI()
	if err != nil {
		return nil, err
	}
	if options.Stack == "" {
		options.Stack = "dev"
	}
	if options.Plugins && (options.World != nil || options.Project == "") {
		return nil, errors.New("harness.Options has Plugins, so it needs a Project and takes no World")
	}
	if options.World == nil && !options.Plugins {
		options.World = simulation.NewWorld(0)
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	e := &Stack{World: options.World, options: options}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if e.dir, err = os.MkdirTemp("", "simulated-stack-"); err != nil {
		return nil, fmt.Errorf("make a folder for the stack: %w", err)
	}
	e.backend = filepath.Join(e.dir, "backend")
	for _, dir := range []string{e.backend, filepath.Join(e.dir, "work"), filepath.Join(e.dir, "bin")} {
		if err = os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for the stack: %w", err)
		}
	}
	// The Automation API looks for bin/pulumi below a root.
	if err = os.Symlink(cli, filepath.Join(e.dir, "bin", "pulumi")); err != nil {
		return nil, fmt.Errorf("link the pulumi CLI: %w", err)
	}
	if options.Plugins {
		err = e.linkPlugins()
	} else {
		e.attachment, err = simulation.Attach(e.World, simulation.AWS(), simulation.Docker(), simulation.Command())
	}
	if err != nil {
		return nil, err
	}
	if err = e.open(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// PluginFolder returns where this user's Pulumi keeps its plugins.
func PluginFolder() (string, error) {
	home, err := workspace.GetPulumiHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home of Pulumi: %w", err)
	}
	return filepath.Join(home, "plugins"), nil
}

// linkPlugins makes the installed plugins those of the stack, which has a
// Pulumi home of its own so that no login of the user's counts.
func (e *Stack) linkPlugins() error {
	plugins, err := PluginFolder()
	if err != nil {
		return err
	}
	home := filepath.Join(e.dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	if err := os.Symlink(plugins, filepath.Join(home, "plugins")); err != nil {
		return fmt.Errorf("link the installed plugins: %w", err)
	}
	return nil
}

// open writes the project and its settings and creates the stack.
func (e *Stack) open(ctx context.Context) error {
	project := &workspace.Project{
		Name:    "simulation",
		Runtime: workspace.NewProjectRuntimeInfo("go", nil),
	}
	if e.options.Project != "" {
		loaded, err := workspace.LoadProject(e.options.Project)
		if err != nil {
			return fmt.Errorf("load %s: %w", e.options.Project, err)
		}
		project = loaded
		root, err := filepath.Abs(filepath.Dir(e.options.Project))
		if err != nil {
			return fmt.Errorf("find the folder of %s: %w", e.options.Project, err)
		}
		project.Main = ""
		if e.options.Plugins {
			// The program runs here, so all that this says is where plugins
			// look relative paths up.
			project.Main = root
		} else {
			e.World.SetRoot(root)
		}
	}
	e.project = string(project.Name)
	project.Backend = &workspace.ProjectBackend{URL: "file://" + e.backend}

	work := filepath.Join(e.dir, "work")
	if err := e.writeSettings(filepath.Join(work, "Pulumi."+e.options.Stack+".yaml")); err != nil {
		return err
	}
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: e.dir})
	if err != nil {
		return fmt.Errorf("use the pulumi CLI: %w", err)
	}
	environment := map[string]string{
		"PULUMI_BACKEND_URL":                          "file://" + e.backend,
		"PULUMI_CONFIG_PASSPHRASE":                    passphrase,
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
	}
	if e.attachment != nil {
		environment["PULUMI_DEBUG_PROVIDERS"] = e.attachment.Env()
	}
	if e.options.SaveAtEnd {
		environment["PULUMI_SKIP_CHECKPOINTS"] = "true"
	}
	e.stack, err = auto.UpsertStackInlineSource(ctx, e.options.Stack, e.project, e.options.Program,
		auto.Pulumi(command),
		auto.Project(*project),
		auto.WorkDir(work),
		auto.PulumiHome(filepath.Join(e.dir, "home")),
		auto.SecretsProvider("passphrase"),
		auto.EnvVars(environment),
	)
	if err != nil {
		return fmt.Errorf("create stack %s: %w", e.options.Stack, err)
	}
	return e.SetSecrets(ctx, e.options.Secrets)
}

// writeSettings writes the stack's settings file: Options.Settings with
// Options.Config on top.
func (e *Stack) writeSettings(path string) error {
	file := struct {
		Config map[string]any `yaml:"config"`
	}{Config: map[string]any{}}
	if e.options.Settings != "" {
		text, err := os.ReadFile(e.options.Settings)
		if err != nil {
			return fmt.Errorf("read the stack's settings: %w", err)
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("parse %s: %w", e.options.Settings, err)
		}
		if file.Config == nil {
			file.Config = map[string]any{}
		}
	}
	for key, value := range e.options.Config {
		file.Config[e.key(key)] = value
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode the stack's settings: %w", err)
	}
	return os.WriteFile(path, text, 0o600)
}

// key gives a setting the project's namespace if it has none.
func (e *Stack) key(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return e.project + ":" + name
}

// Set changes settings for the operations to come. The value nil unsets one.
func (e *Stack) Set(config map[string]any) error {
	path := filepath.Join(e.dir, "work", "Pulumi."+e.options.Stack+".yaml")
	settings, err := workspace.LoadProjectStack(nil, &workspace.Project{Name: tokens.PackageName(e.project)}, path)
	if err != nil {
		return fmt.Errorf("load the stack's settings: %w", err)
	}
	text, err := yaml.Marshal(settings)
	if err != nil {
		return fmt.Errorf("encode the stack's settings: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("parse the stack's settings: %w", err)
	}
	values, _ := file["config"].(map[string]any)
	if values == nil {
		values = map[string]any{}
	}
	for name, value := range config {
		if value == nil {
			delete(values, e.key(name))
		} else {
			values[e.key(name)] = value
		}
	}
	file["config"] = values
	if text, err = yaml.Marshal(file); err != nil {
		return fmt.Errorf("encode the stack's settings: %w", err)
	}
	return os.WriteFile(path, text, 0o600)
}

// SetSecrets changes secret settings for the operations to come.
func (e *Stack) SetSecrets(ctx context.Context, secrets map[string]string) error {
	if len(secrets) == 0 {
		return nil
	}
	values := auto.ConfigMap{}
	for name, value := range secrets {
		values[e.key(name)] = auto.ConfigValue{Value: value, Secret: true}
	}
	if err := e.stack.SetAllConfig(ctx, values); err != nil {
		return fmt.Errorf("set secrets: %w", err)
	}
	return nil
}

// SetProgram changes the program for the operations to come.
func (e *Stack) SetProgram(program pulumi.RunFunc) { e.stack.Workspace().SetProgram(program) }

// Close ends the simulated providers and removes the stack's folder.
func (e *Stack) Close() error {
	var errs []error
	if e.attachment != nil {
		errs = append(errs, e.attachment.Close())
	}
	if e.dir != "" {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

// Step is one thing the engine did, or in a preview would do, to a resource.
type Step struct {
	// Op is what was done: same, create, update, delete, replace,
	// create-replacement, delete-replaced, refresh, read.
	Op apitype.OpType
	// URN, Type and Name are the resource's.
	URN, Type, Name string
	// Because names the inputs that differ.
	Because []string
	// Failed is true when it was tried in vain.
	Failed bool
	// Start and End are when the engine told of it, on this machine's clock.
	Start, End time.Time
}

// Result is what came of an operation.
type Result struct {
	// Counts are the engine's own, per kind of step: "same", "create",
	// "update", "replace", "delete". Components and the stack count too.
	Counts map[apitype.OpType]int
	// Steps are the single steps in the order in which they ended.
	Steps []Step
	// Outputs are the stack's, after Up only.
	Outputs auto.OutputMap
	// Diagnostics are the messages of the engine and the program, with the name
	// of their resource: errors and warnings.
	Diagnostics []string
	// Records are the operations of the simulated providers; none with
	// Options.Plugins.
	Records []simulation.Record
	// Wall is how long it took here.
	Wall time.Duration

	started map[string]time.Time // by URN, of the steps under way
}

// Changes counts the steps that change something.
func (r *Result) Changes() int {
	changes := 0
	for op, n := range r.Counts {
		if op != apitype.OpSame && op != apitype.OpRead && op != apitype.OpRefresh {
			changes += n
		}
	}
	return changes
}

// Names returns the names of the resources that had a kind of step, in order.
func (r *Result) Names(op apitype.OpType) []string {
	var names []string
	for _, step := range r.Steps {
		if step.Op == op {
			names = append(names, step.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Up runs `pulumi up`. Like the other operations it returns a result even when
// it fails, and an error with the engine's own words.
func (e *Stack) Up(ctx context.Context, opts ...optup.Option) (*Result, error) {
	var outputs auto.OutputMap
	result, err := e.operate("up", func(stream chan<- events.EngineEvent) error {
		opts := append([]optup.Option{
			optup.EventStreams(stream), optup.ProgressStreams(e.options.Log), optup.ErrorProgressStreams(e.options.Log),
			optup.Parallel(e.options.Parallel), optup.SuppressOutputs(),
		}, opts...)
		up, err := e.stack.Up(ctx, opts...)
		outputs = up.Outputs
		return err
	})
	result.Outputs = outputs
	return result, err
}

// Preview runs `pulumi preview`.
func (e *Stack) Preview(ctx context.Context, opts ...optpreview.Option) (*Result, error) {
	return e.operate("preview", func(stream chan<- events.EngineEvent) error {
		opts := append([]optpreview.Option{
			optpreview.EventStreams(stream), optpreview.ProgressStreams(e.options.Log), optpreview.ErrorProgressStreams(e.options.Log),
			optpreview.Parallel(e.options.Parallel),
		}, opts...)
		_, err := e.stack.Preview(ctx, opts...)
		return err
	})
}

// Refresh runs `pulumi refresh`.
func (e *Stack) Refresh(ctx context.Context, opts ...optrefresh.Option) (*Result, error) {
	return e.operate("refresh", func(stream chan<- events.EngineEvent) error {
		opts := append([]optrefresh.Option{
			optrefresh.EventStreams(stream), optrefresh.ProgressStreams(e.options.Log), optrefresh.ErrorProgressStreams(e.options.Log),
			optrefresh.Parallel(e.options.Parallel),
		}, opts...)
		_, err := e.stack.Refresh(ctx, opts...)
		return err
	})
}

// Destroy runs `pulumi destroy`.
func (e *Stack) Destroy(ctx context.Context, opts ...optdestroy.Option) (*Result, error) {
	return e.operate("destroy", func(stream chan<- events.EngineEvent) error {
		opts := append([]optdestroy.Option{
			optdestroy.EventStreams(stream), optdestroy.ProgressStreams(e.options.Log), optdestroy.ErrorProgressStreams(e.options.Log),
			optdestroy.Parallel(e.options.Parallel),
		}, opts...)
		_, err := e.stack.Destroy(ctx, opts...)
		return err
	})
}

// operate runs one operation and gathers what it tells.
func (e *Stack) operate(name string, run func(chan<- events.EngineEvent) error) (*Result, error) {
	result := &Result{Counts: map[apitype.OpType]int{}, started: map[string]time.Time{}}
	var failures []string
	done := len(e.records())
	stream := make(chan events.EngineEvent)
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		for event := range stream {
			if event.Error != nil {
				continue // A line that could not be decoded; the next ones can.
			}
			if e.options.OnEvent != nil {
				e.options.OnEvent(event)
			}
			failures = append(failures, result.add(event)...)
		}
	}()
	start := time.Now()
	err := run(stream)
	result.Wall = time.Since(start)
	// The Automation API closes the stream, unless it failed before it began.
	select {
	case <-gathered:
	case <-time.After(5 * time.Second):
	}
	result.Records = e.records()[done:]
	if err != nil && len(failures) > 0 {
		err = fmt.Errorf("pulumi %s: %s", name, strings.Join(failures, "\n"))
	} else if err != nil {
		err = fmt.Errorf("pulumi %s: %w", name, err)
	}
	return result, err
}

// records are what the simulated providers have done so far.
func (e *Stack) records() []simulation.Record {
	if e.World == nil {
		return nil
	}
	return e.World.Records()
}

// add takes an event into the result and returns the errors it tells of.
func (r *Result) add(event events.EngineEvent) []string {
	switch {
	case event.ResourcePreEvent != nil:
		r.started[event.ResourcePreEvent.Metadata.URN] = time.Now()
	case event.ResOutputsEvent != nil:
		r.addStep(event.ResOutputsEvent.Metadata, false)
	case event.ResOpFailedEvent != nil:
		r.addStep(event.ResOpFailedEvent.Metadata, true)
	case event.SummaryEvent != nil:
		maps.Copy(r.Counts, event.SummaryEvent.ResourceChanges)
	case event.DiagnosticEvent != nil && !event.DiagnosticEvent.Ephemeral:
		d := event.DiagnosticEvent
		if d.Severity != "error" && d.Severity != "warning" {
			return nil
		}
		message := strings.TrimSpace(Uncolored(d.Message))
		if d.URN != "" {
			message = nameOf(d.URN) + ": " + message
		}
		r.Diagnostics = append(r.Diagnostics, d.Severity+": "+message)
		if d.Severity == "error" {
			return []string{message}
		}
	}
	return nil
}

func (r *Result) addStep(m apitype.StepEventMetadata, failed bool) {
	because := m.Diffs
	if len(because) == 0 {
		because = m.Keys
	}
	step := Step{Op: m.Op, URN: m.URN, Type: m.Type, Name: nameOf(m.URN), Because: because, Failed: failed, End: time.Now()}
	step.Start = step.End
	if start, ok := r.started[m.URN]; ok {
		step.Start = start
		delete(r.started, m.URN)
	}
	r.Steps = append(r.Steps, step)
}

// nameOf returns the resource's name in a URN.
func nameOf(urn string) string {
	return urn[strings.LastIndex(urn, "::")+len("::"):]
}

// Uncolored removes the engine's colour marks, such as <{%reset%}>, from a text.
func Uncolored(text string) string {
	for {
		before, rest, found := strings.Cut(text, "<{%")
		if !found {
			return text
		}
		_, after, found := strings.Cut(rest, "%}>")
		if !found {
			return text
		}
		text = before + after
	}
}

// StateFile returns the state as it lies on the disk, secrets encrypted.
func (e *Stack) StateFile() ([]byte, error) {
	path := filepath.Join(e.backend, ".pulumi", "stacks", e.project, e.options.Stack+".json")
	state, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return state, nil
}

// State returns the resources in the state, secrets encrypted.
func (e *Stack) State() (*apitype.DeploymentV3, error) {
	text, err := e.StateFile()
	if err != nil {
		return nil, err
	}
	var file struct {
		Checkpoint struct {
			Latest *apitype.DeploymentV3 `json:"latest"`
		} `json:"checkpoint"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("decode the state: %w", err)
	}
	if file.Checkpoint.Latest == nil {
		return &apitype.DeploymentV3{}, nil
	}
	return file.Checkpoint.Latest, nil
}
