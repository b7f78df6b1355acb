// Command demo shows a whole life of the stack in under a minute, with no
// cloud, no account and no network: the real Pulumi engine runs the real program
// on simulated providers. It exits with 1 if anything is not as it should be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"golang.org/x/term"

	"swarm-scale/simulation"
	"swarm-scale/simulation/engine"
	"swarm-scale/stack"
)

// flags are the command's options.
type flags struct {
	frontends, workers int
	scale              float64
}

func main() {
	var f flags
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.IntVar(&f.frontends, "frontends", 2, "`number` of frontends to start with; the demo then previews one more")
	set.IntVar(&f.workers, "workers", 1, "`number` of workers")
	set.Float64Var(&f.scale, "time-scale", 0.02, "`seconds` that one second of the simulated clouds takes here")
	set.Usage = func() {
		fmt.Fprint(set.Output(), "Previews, deploys, grows and destroys the stack of Pulumi.dev.yaml with the real\n"+
			"Pulumi engine on simulated clouds. Nothing is created anywhere.\n\n"+
			"Usage: go run ./cmd/demo [flags]\n\n")
		set.PrintDefaults()
	}
	switch err := set.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	case set.NArg() > 0 || f.scale < 0 || f.frontends < 1 || f.workers < 1:
		fmt.Fprintf(os.Stderr, "demo: --frontends and --workers are 1 or more, --time-scale is 0 or more, and there are no arguments: %s\n",
			strings.Join(os.Args[1:], " "))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, f, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called.
	}
}

// demo is one run of the demonstration.
type demo struct {
	*engine.Engine
	view  *view
	steps []step
}

// step is one line of the closing table.
type step struct {
	title  string
	result *engine.Result
}

// run shows a stack's whole life on the output.
func run(ctx context.Context, f flags, output io.Writer) (err error) {
	begun := time.Now()
	v := newView(output)
	v.printf("%s\n\n", v.bold("Swarm at scale, rehearsed: every cloud and machine below is simulated."))
	v.printf("  Simulated  AWS, Docker and the SSH commands: they answer, fail and take time as\n" +
		"             the real ones would, but nothing is created and no script is run.\n" +
		"  Real       the Pulumi engine, this repository's program and settings, what it\n" +
		"             decides to create, change and replace, in which order, and the state.\n")
	v.printf("  Time       one second of the clouds takes %s here.\n", seconds(time.Duration(f.scale*float64(time.Second))))

	root, err := projectRoot()
	if err != nil {
		return err
	}
	keyFile, err := temporaryKey()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(keyFile)) }()

	world := simulation.NewWorld(f.scale)
	usualTimes(world)
	e, err := engine.New(ctx, engine.Options{
		Program:  stack.Deploy,
		Project:  filepath.Join(root, "Pulumi.yaml"),
		Settings: filepath.Join(root, "Pulumi.dev.yaml"),
		Config: map[string]any{
			"frontends": f.frontends, "workers": f.workers,
			"keyPair": "demo", "operatorCidr": "203.0.113.7/32", "sshPrivateKeyFile": keyFile,
		},
		Secrets: map[string]string{
			"postgresPassword": "correct horse battery staple",
			"voterKey":         "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		},
		World:    world,
		Parallel: 32,
		OnEvent:  v.event,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()

	d := &demo{Engine: e, view: v}
	if err := d.life(ctx, f); err != nil {
		v.finish()
		return err
	}
	d.table(time.Since(begun))
	return nil
}

// life takes the stack through its stations and checks each.
func (d *demo) life(ctx context.Context, f flags) error {
	preview, err := d.step("Preview: nothing exists yet", func() (*engine.Result, error) { return d.Preview(ctx) })
	if err != nil {
		return err
	}
	if made := d.World.Objects("*"); len(made) > 0 {
		return fmt.Errorf("the preview created %d objects", len(made))
	}

	up, err := d.step("Up: create everything", func() (*engine.Result, error) { return d.Up(ctx) })
	if err != nil {
		return err
	}
	if announced, created := preview.Counts[apitype.OpCreate], up.Counts[apitype.OpCreate]; announced != created {
		return fmt.Errorf("the preview announced %d creations, the up made %d", announced, created)
	}
	d.view.outputs(up.Outputs)
	if state, err := d.State(); err != nil {
		return err
	} else {
		chain := engine.LongestChain(state, up.Records)
		d.view.printf("  On AWS this would take about %s: the longest chain of steps that wait for\n"+
			"  each other. One after another all steps would take %s; up to %d ran side by side.\n",
			minutes(chain.Longest), minutes(chain.Sum), simulation.MaxParallel(up.Records))
	}

	again, err := d.step("Up again: nothing may change", func() (*engine.Result, error) { return d.Up(ctx) })
	if err != nil {
		return err
	}
	if n := again.Changes(); n > 0 || len(simulation.Changes(again.Records)) > 0 {
		return fmt.Errorf("a second up changes %d resources: %v", n, again.Counts)
	}

	if err := d.Set(map[string]any{"frontends": f.frontends + 1}); err != nil {
		return err
	}
	grown, err := d.step("Preview: one more frontend", func() (*engine.Result, error) {
		return d.Preview(ctx, optpreview.Diff())
	})
	if err != nil {
		return err
	}
	d.view.changes(grown)
	if grown.Counts[apitype.OpCreate] == 0 || grown.Counts[apitype.OpDelete] > 0 {
		return fmt.Errorf("one more frontend should only add and adjust: %v", grown.Counts)
	}
	for _, step := range grown.Steps {
		if step.Op == apitype.OpReplace && step.Type == "aws:ec2/instance:Instance" {
			return fmt.Errorf("one more frontend would replace the machine %s", step.Name)
		}
	}

	if _, err := d.step("Destroy: leave nothing behind", func() (*engine.Result, error) { return d.Destroy(ctx) }); err != nil {
		return err
	}
	state, err := d.State()
	if err != nil {
		return err
	}
	left := d.World.Objects("*")
	if len(state.Resources)+len(left) > 0 {
		for _, o := range left {
			d.view.printf("    left: %s %s\n", o.Type, o.URN.Name())
		}
		return fmt.Errorf("%d resources are left in the state and %d objects in the simulated clouds", len(state.Resources), len(left))
	}
	d.view.note("Nothing is left, neither in the state nor in the simulated clouds.")
	return nil
}

// step runs one operation under a heading and keeps it for the table.
func (d *demo) step(title string, run func() (*engine.Result, error)) (*engine.Result, error) {
	d.view.begin(len(d.steps)+1, stations, title)
	result, err := run()
	d.view.end(result, err)
	d.steps = append(d.steps, step{title, result})
	return result, err
}

// stations is the number of steps of the demonstration.
const stations = 5

// table closes with what each step did and how long it took.
func (d *demo) table(total time.Duration) {
	v := d.view
	v.printf("\n%s\n\n", v.bold("  step                               created changed replaced deleted  same  took"))
	for _, s := range d.steps {
		c := s.result.Counts
		v.printf("  %-34s %7d %7d %8d %7d %5d %5s\n", s.title, c[apitype.OpCreate], c[apitype.OpUpdate], c[apitype.OpReplace],
			c[apitype.OpDelete], c[apitype.OpSame], seconds(s.result.Wall))
	}
	v.printf("\n%s in %s.\n", v.green("All as it should be"), seconds(total))
}

// usualTimes sets how long the scripts on the machines take in reality, where
// the provider's usual two seconds would mislead. All are assumed; the longest
// is a t2.micro's first boot and the installation of Docker.
func usualTimes(w *simulation.World) {
	for _, rule := range []struct {
		pattern string
		took    time.Duration
	}{
		{"*-reachable", 30 * time.Second},
		{"*-engine", 60 * time.Second},
		{"engine-*", 60 * time.Second},
		{"consul", 15 * time.Second},
		{"swarm-manager", 10 * time.Second},
		{"*-members", 20 * time.Second},
	} {
		w.CommandTakes(rule.pattern, rule.took)
	}
}

// temporaryKey writes an SSH key for the program to log in with; no machine
// will ever see it.
func temporaryKey() (string, error) {
	key, err := simulation.NewHostKey()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp("", "demo-key-")
	if err != nil {
		return "", fmt.Errorf("write a key for the demo: %w", err)
	}
	_, err = file.WriteString(key)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("write a key for the demo: %w", err)
	}
	return file.Name(), nil
}

// projectRoot finds the folder of Pulumi.yaml, here or above, and moves there:
// the program's build contexts are relative to it.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil {
			return dir, os.Chdir(dir)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no Pulumi.yaml in %s or above: run the demo in the repository", start)
		}
	}
}

// terminal returns the size of a terminal, and whether the output is one.
func terminal(output io.Writer) (width, height int, ok bool) {
	file, isFile := output.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return 80, 24, false
	}
	width, height, err := term.GetSize(int(file.Fd()))
	return width, height, err == nil
}
