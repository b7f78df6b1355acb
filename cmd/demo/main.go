// Command demo shows a whole life of the stack, with no cloud, no account and no network: the real Pulumi engine runs the real program
// on simulated providers. It exits with 1 if anything is not as it should be.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/settings"
	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
)

// flags are the command's options.
type flags struct {
	cluster            settings.Cluster
	frontends, workers int
	scale              float64
}

func main() {
	var f flags
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.IntVar(&f.frontends, "frontends", 2, "`number` of frontends to start with; the demo then previews one more")
	set.Func("cluster", "`kind` of cluster: swarm-mode or standalone (default: the variable CLUSTER, or swarm-mode)", func(kind string) error {
		f.cluster = settings.Cluster(kind)
		return nil
	})
	set.IntVar(&f.workers, "workers", 1, "`number` of workers")
	set.Float64Var(&f.scale, "time-scale", 0.02, "`seconds` that one second of the simulated clouds takes here")
	set.Usage = func() {
		fmt.Fprint(set.Output(), "Previews, deploys, grows and destroys the stack of Pulumi.dev.yaml with the real\n"+
			"Pulumi engine on simulated clouds. Nothing is created anywhere.\n\n"+
			"Usage: go run ./cmd/demo [flags]\n\n")
		set.PrintDefaults()
	}
	f.cluster = settings.Cluster(cmp.Or(os.Getenv("CLUSTER"), settings.Default("cluster")))
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
	if !slices.Contains(settings.Clusters(), f.cluster) {
		fmt.Fprintf(os.Stderr, "demo: the cluster is %q: set CLUSTER to %s or %s\n", f.cluster, settings.Standalone, settings.SwarmMode)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, f, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		stop()
		os.Exit(1)
	}
}

// demo is one run of the demonstration.
type demo struct {
	*harness.Stack
	view  *view
	steps []step
}

// step is one row of the closing table.
type step struct {
	title  string
	result *harness.Result
}

// run shows a stack's whole life on the output.
func run(ctx context.Context, f flags, output io.Writer) (err error) {
	begun := time.Now()
	v := newView(output)
	v.printf("%s\n\n", v.bold("Swarm at scale, rehearsed: every cloud and machine below is simulated."))
	v.printf("  Simulated  AWS, Docker and SSH: they answer and take time as the real ones do,\n" +
		"             but nothing is created and no script is run.\n" +
		"  Real       the Pulumi engine, this repository's program and settings, what is\n" +
		"             created, changed and replaced, in which order, and the state.\n")
	v.printf("  Time       one second of the clouds takes %g s here.\n", f.scale)

	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	options, err := rehearsal.Options(rehearsal.World(f.scale), dir)
	if err != nil {
		return err
	}
	options.Config["frontends"], options.Config["workers"] = f.frontends, f.workers
	if f.cluster == settings.SwarmMode {
		options.Config["cluster"], options.Config["loadBalancer"] = string(f.cluster), string(settings.HAProxy)
	}
	options.OnEvent = v.event
	stack, err := harness.New(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()

	d := &demo{Stack: stack, view: v}
	if err := d.life(ctx, f); err != nil {
		return err
	}
	d.summary(time.Since(begun))
	return nil
}

// life takes the stack through its life and checks each step.
func (d *demo) life(ctx context.Context, f flags) error {
	preview, err := d.preview(ctx, "1/5 Preview: nothing exists yet")
	if err != nil {
		return err
	}
	if made := d.World.Objects("*"); len(made) > 0 {
		return fmt.Errorf("the preview created %d objects", len(made))
	}

	up, err := d.up(ctx, "2/5 Up: create everything")
	if err != nil {
		return err
	}
	if announced, created := preview.Counts[apitype.OpCreate], up.Counts[apitype.OpCreate]; announced != created {
		return fmt.Errorf("the preview announced %d creations, the up made %d", announced, created)
	}
	outputs, err := d.Outputs(ctx)
	if err != nil {
		return err
	}
	if err := d.view.outputs(outputs); err != nil {
		return err
	}
	state, err := d.State()
	if err != nil {
		return err
	}
	chain := harness.LongestChain(state, up.Records)
	d.view.printf("  On AWS this would take about %s, the longest chain of steps that wait\n"+
		"  for each other. All steps one after another would take %s.\n", minutes(chain.Longest), minutes(chain.Sum))

	again, err := d.up(ctx, "3/5 Up again: nothing may change")
	if err != nil {
		return err
	}
	if n := again.Changes(); n > 0 || len(again.Records) > 0 {
		return fmt.Errorf("a second up changes %d resources: %v", n, again.Counts)
	}

	if err := d.Set(map[string]any{"frontends": f.frontends + 1}); err != nil {
		return err
	}
	grown, err := d.preview(ctx, "4/5 Preview: one more frontend")
	if err != nil {
		return err
	}
	if grown.Counts[apitype.OpCreate] == 0 || grown.Counts[apitype.OpDelete] > 0 {
		return fmt.Errorf("one more frontend should only add and change: %v", grown.Counts)
	}
	for _, step := range grown.Steps {
		if step.Op == apitype.OpReplace && step.Type == "aws:ec2/instance:Instance" {
			return fmt.Errorf("one more frontend would replace the machine %s", step.Name)
		}
	}

	if _, err := d.step("5/5 Destroy: leave nothing behind", true, func() (*harness.Result, error) { return d.Destroy(ctx) }); err != nil {
		return err
	}
	if state, err = d.State(); err != nil {
		return err
	}
	left := d.World.Objects("*")
	for _, o := range left {
		d.view.printf("    left: %s %s\n", o.Type, o.URN.Name())
	}
	if len(state.Resources)+len(left) > 0 {
		return fmt.Errorf("%d resources are left in the state and %d objects in the simulated clouds", len(state.Resources), len(left))
	}
	d.view.printf("  %s Nothing is left, neither in the state nor in the simulated clouds.\n", d.view.green("✓"))
	return nil
}

func (d *demo) preview(ctx context.Context, title string) (*harness.Result, error) {
	return d.step(title, true, func() (*harness.Result, error) { return d.Preview(ctx, optpreview.Diff()) })
}

func (d *demo) up(ctx context.Context, title string) (*harness.Result, error) {
	return d.step(title, false, func() (*harness.Result, error) { return d.Up(ctx) })
}

// step runs one operation under a heading and keeps it for the closing table.
func (d *demo) step(title string, table bool, operation func() (*harness.Result, error)) (*harness.Result, error) {
	d.view.begin(title, table)
	result, err := operation()
	d.view.end(result, err)
	d.steps = append(d.steps, step{title, result})
	return result, err
}

// summary closes with what each step did and how long it took.
func (d *demo) summary(total time.Duration) {
	d.view.printf("\n%s\n\n", d.view.bold("  step                                create update replace delete unchanged   took"))
	for _, s := range d.steps {
		c := s.result.Counts
		d.view.printf("  %-35s %6d %6d %7d %6d %9d %6s\n", s.title, c[apitype.OpCreate], c[apitype.OpUpdate], c[apitype.OpReplace],
			c[apitype.OpDelete], c[apitype.OpSame], seconds(s.result.Wall))
	}
	d.view.printf("\n%s in %s.\n", d.view.green("All as it should be"), seconds(total))
}
