// Package harness runs a Pulumi program with the real Pulumi engine: the CLI, driven by the Automation API, with a file
// backend in a temporary folder. Simulated providers do the work, so it needs no plugin, no network and no account. With
// Options.Plugins the installed plugins do it.
//
//	s := harness.Test(t, harness.Options{
//		Program: stack.Deploy,
//		Project: "../Pulumi.yaml",
//		Config:  map[string]any{"frontends": 3},
//		Secrets: map[string]string{"postgresPassword": "correct horse"},
//	})
//	result, err := s.Up(ctx)
//	...
//	s.World.MachineDead("frontend02")
//	result, err = s.Destroy(ctx)
package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/test/simulation"
)

// Options say what to run and with which settings.
type Options struct {
	// Program is the Pulumi program. Required.
	Program pulumi.RunFunc
	// InWorld returns the program for the world that a stack is in. It takes the place of Program.
	InWorld func(*simulation.World) pulumi.RunFunc
	// Project is the path of a Pulumi.yaml. Its name, declared settings and defaults apply, and the relative paths of build
	// contexts start from its folder. Without it the project is named "simulation" and declares no settings.
	Project string
	// Settings is the path of a stack's settings file to start from, such as Pulumi.dev.yaml. It may hold no secrets.
	Settings string
	// Config are settings that add to those or override them. A key without a namespace belongs to the project. Values are
	// what YAML can hold.
	Config map[string]any
	// Secrets are settings that are kept as secrets.
	Secrets map[string]string
	// Stack is the stack's name, "dev" by default.
	Stack string
	// World is the world to run in, by default an empty one where every operation is instant.
	World *simulation.World
	// Plugins has the installed plugins do the work, those in PluginFolder. There is no World then, and no plugin is
	// installed on the way. It needs a Project.
	Plugins bool
	// Parallel is the number of resource operations at a time; 0 for the Pulumi engine's default, which depends on the
	// number of processors.
	Parallel int
	// SaveAtEnd has the Pulumi engine save the state once, at the end of an operation, instead of after every step. A file
	// backend writes the whole state each time, which is most of the time of a large stack. A process that is killed loses
	// what it did; an operation that fails does not.
	SaveAtEnd bool
	// OnEvent is called with the Pulumi engine's events as they come, from one goroutine.
	OnEvent func(events.EngineEvent)
	// Log receives what the CLI prints. Discarded by default.
	Log io.Writer
}

// Stack is one stack of one program, in a world. It runs one operation at a time.
type Stack struct {
	// World is what the simulated providers work on; nil with Options.Plugins.
	World *simulation.World

	options    Options
	project    *workspace.Project
	dir        string
	cli        *cli
	attachment *simulation.Attachment
	stack      auto.Stack
}

// What is in a stack's folder.
const (
	workFolder    = "work"    // the project and the stack's settings
	backendFolder = "backend" // the state
	homeFolder    = "home"    // what the CLI keeps for a user
)

// passphrase encrypts the secrets in the state, which lasts as long as a test.
const passphrase = "simulation"

// Test is New for a test. It skips the test where there is no Pulumi CLI, fails it on any other error, and closes the stack
// at its end.
func Test(t testing.TB, options Options) *Stack {
	t.Helper()
	s, err := New(t.Context(), options)
	if errors.Is(err, ErrNoCLI) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return closeAfter(t, s)
}

// closeAfter closes a stack at the end of a test.
func closeAfter(t testing.TB, s *Stack) *Stack {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// New prepares a stack with nothing in it. Close it when done. The error is ErrNoCLI where there is no Pulumi CLI.
func New(ctx context.Context, options Options) (*Stack, error) {
	if options.Program == nil && options.InWorld == nil {
		return nil, errors.New("harness.Options has no Program")
	}
	if options.Plugins && (options.World != nil || options.Project == "") {
		return nil, errors.New("harness.Options has Plugins, so it needs a Project and takes no World")
	}
	if options.Stack == "" {
		options.Stack = "dev"
	}
	if options.World == nil && !options.Plugins {
		options.World = simulation.NewWorld(0)
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	if options.InWorld != nil {
		options.Program = options.InWorld(options.World)
	}
	s := &Stack{World: options.World, options: options}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Clone returns another stack for a test: in the same state, with the same settings and program, in a world of its own that
// holds the same objects. Dead machines and faults to come are copied, records are not. No operation may be under way, and
// s must not be closed before the clone.
func (s *Stack) Clone(t testing.TB) *Stack {
	t.Helper()
	if s.World == nil {
		t.Fatal("a stack of installed plugins has no world that could be cloned")
	}
	clone := &Stack{World: s.World.Clone(), options: s.options, project: s.project, cli: new(*s.cli)}
	if clone.options.InWorld != nil {
		clone.options.Program = clone.options.InWorld(clone.World)
	}
	if err := clone.copy(t.Context(), s.dir); err != nil {
		t.Fatal(errors.Join(err, clone.Close()))
	}
	return closeAfter(t, clone)
}

// create makes a stack with nothing in it.
func (s *Stack) create(ctx context.Context) error {
	if err := s.attach(); err != nil {
		return err
	}
	for _, folder := range []string{backendFolder, workFolder} {
		if err := os.Mkdir(filepath.Join(s.dir, folder), 0o700); err != nil {
			return fmt.Errorf("make a folder for the stack: %w", err)
		}
	}
	var err error
	if s.cli, err = newCLI(s.dir); err != nil {
		return err
	}
	if err := s.loadProject(); err != nil {
		return err
	}
	if err := s.writeSettings(s.options.Settings, s.options.Config); err != nil {
		return err
	}
	if err := s.open(ctx, auto.NewStack); err != nil {
		return err
	}
	return s.SetSecrets(ctx, s.options.Secrets)
}

// copy makes a stack of what is in another one's folder.
func (s *Stack) copy(ctx context.Context, from string) error {
	if err := s.attach(); err != nil {
		return err
	}
	for _, folder := range []string{backendFolder, workFolder} {
		if err := os.CopyFS(filepath.Join(s.dir, folder), os.DirFS(filepath.Join(from, folder))); err != nil {
			return fmt.Errorf("copy a stack: %w", err)
		}
	}
	return s.open(ctx, auto.SelectStack)
}

// attach makes the stack's folder and gives it its providers.
func (s *Stack) attach() (err error) {
	if s.dir, err = os.MkdirTemp("", "stack-"); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	if s.World != nil {
		s.attachment, err = simulation.Attach(s.World, simulation.AWS(), simulation.Docker(), simulation.Command())
		return err
	}
	// The stack has a Pulumi home of its own, so that no login of the user's counts.
	home := filepath.Join(s.dir, homeFolder)
	if err := os.Mkdir(home, 0o700); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	plugins, err := PluginFolder()
	if err != nil {
		return err
	}
	if err := os.Symlink(plugins, filepath.Join(home, "plugins")); err != nil {
		return fmt.Errorf("link the installed plugins: %w", err)
	}
	return nil
}

// loadProject loads Options.Project.
func (s *Stack) loadProject() error {
	s.project = &workspace.Project{Name: "simulation", Runtime: workspace.NewProjectRuntimeInfo("go", nil)}
	if s.options.Project == "" {
		return nil
	}
	project, err := workspace.LoadProject(s.options.Project)
	if err != nil {
		return fmt.Errorf("load %s: %w", s.options.Project, err)
	}
	root, err := filepath.Abs(filepath.Dir(s.options.Project))
	if err != nil {
		return fmt.Errorf("find the folder of %s: %w", s.options.Project, err)
	}
	project.Main = ""
	if s.World != nil {
		s.World.SetRoot(root)
	} else {
		// The program runs in this process. Main only says from where plugins resolve relative paths.
		project.Main = root
	}
	s.project = project
	return nil
}

// open creates or selects the stack in its folder.
func (s *Stack) open(ctx context.Context, open func(context.Context, string, auto.Workspace) (auto.Stack, error)) error {
	// Without files of metadata. A Pulumi that is killed may leave one empty, and then nothing can read the state.
	backend := "file://" + filepath.Join(s.dir, backendFolder) + "?metadata=skip"
	project := *s.project
	project.Backend = &workspace.ProjectBackend{URL: backend}
	environment := map[string]string{
		"PULUMI_BACKEND_URL":                          backend,
		"PULUMI_CONFIG_PASSPHRASE":                    passphrase,
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
	}
	if s.attachment != nil {
		environment["PULUMI_DEBUG_PROVIDERS"] = s.attachment.Env()
	}
	if s.options.SaveAtEnd {
		environment["PULUMI_SKIP_CHECKPOINTS"] = "true"
	}
	opened, err := auto.NewLocalWorkspace(ctx,
		auto.Program(s.options.Program),
		auto.Pulumi(s.cli),
		auto.Project(project),
		auto.WorkDir(filepath.Join(s.dir, workFolder)),
		auto.PulumiHome(filepath.Join(s.dir, homeFolder)),
		auto.SecretsProvider("passphrase"),
		auto.EnvVars(environment),
	)
	if err != nil {
		return fmt.Errorf("open a workspace: %w", err)
	}
	if s.stack, err = open(ctx, s.options.Stack, opened); err != nil {
		return fmt.Errorf("open stack %s: %w", s.options.Stack, err)
	}
	return nil
}

// SetProgram changes the program for the operations to come.
func (s *Stack) SetProgram(program pulumi.RunFunc) {
	s.options.Program = program
	s.stack.Workspace().SetProgram(program)
}

// Close ends the simulated providers and removes the stack's folder.
func (s *Stack) Close() error {
	var errs []error
	if s.attachment != nil {
		errs = append(errs, s.attachment.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
