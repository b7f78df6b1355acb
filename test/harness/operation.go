package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/simulation"
)

// Step is one thing that the Pulumi engine did to a resource, or in a preview would do.
type Step struct {
	// Op is what was done: same, create, update, delete, replace, create-replacement, delete-replaced, refresh, read.
	Op apitype.OpType
	// URN, Type and Name are the resource's.
	URN, Type, Name string
	// Because names the inputs that differ.
	Because []string
	// Failed is true when it was tried and failed.
	Failed bool
	// Start and End are when the Pulumi engine told of it, on this machine's clock.
	Start, End time.Time
}

// Result is what came of an operation.
type Result struct {
	// Counts are the Pulumi engine's own, per kind of step: "same", "create", "update", "replace", "delete". Components and
	// the stack count too.
	Counts map[apitype.OpType]int
	// Steps are the single steps in the order in which they ended.
	Steps []Step
	// Records are the changes that the simulated providers were asked for; none with Options.Plugins.
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

// Up runs `pulumi up`. Like the other operations it returns a result even when it fails, and an error in the Pulumi engine's
// own words.
func (s *Stack) Up(ctx context.Context, opts ...optup.Option) (*Result, error) {
	return s.operate("up", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Up(ctx, append(opts,
			optup.EventStreams(stream), optup.ProgressStreams(s.options.Log), optup.ErrorProgressStreams(s.options.Log),
			optup.Parallel(s.options.Parallel), optup.SuppressOutputs(),
		)...)
		return err
	})
}

// Preview runs `pulumi preview`.
func (s *Stack) Preview(ctx context.Context, opts ...optpreview.Option) (*Result, error) {
	return s.operate("preview", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Preview(ctx, append(opts,
			optpreview.EventStreams(stream), optpreview.ProgressStreams(s.options.Log), optpreview.ErrorProgressStreams(s.options.Log),
			optpreview.Parallel(s.options.Parallel),
		)...)
		return err
	})
}

// Refresh runs `pulumi refresh`.
func (s *Stack) Refresh(ctx context.Context) (*Result, error) {
	return s.operate("refresh", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Refresh(ctx,
			optrefresh.EventStreams(stream), optrefresh.ProgressStreams(s.options.Log), optrefresh.ErrorProgressStreams(s.options.Log),
			optrefresh.Parallel(s.options.Parallel))
		return err
	})
}

// Destroy runs `pulumi destroy`.
func (s *Stack) Destroy(ctx context.Context) (*Result, error) {
	return s.operate("destroy", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Destroy(ctx,
			optdestroy.EventStreams(stream), optdestroy.ProgressStreams(s.options.Log), optdestroy.ErrorProgressStreams(s.options.Log),
			optdestroy.Parallel(s.options.Parallel))
		return err
	})
}

// operate runs one operation and gathers its events.
func (s *Stack) operate(name string, run func(chan<- events.EngineEvent) error) (*Result, error) {
	result := &Result{Counts: map[apitype.OpType]int{}, started: map[string]time.Time{}}
	var failures []string
	before := len(s.records())
	stream := make(chan events.EngineEvent)
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		for event := range stream {
			if event.Error != nil {
				continue // A line that could not be decoded; the next ones can.
			}
			if s.options.OnEvent != nil {
				s.options.OnEvent(event)
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
	result.Records = s.records()[before:]
	if err != nil && len(failures) > 0 {
		err = fmt.Errorf("pulumi %s: %s", name, strings.Join(failures, "\n"))
	} else if err != nil {
		err = fmt.Errorf("pulumi %s: %w", name, err)
	}
	return result, err
}

// records are the changes that the simulated providers were asked for so far.
func (s *Stack) records() []simulation.Record {
	if s.World == nil {
		return nil
	}
	return s.World.Records()
}

// add takes an event into the result and returns the errors that it tells of.
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
	case event.DiagnosticEvent != nil && !event.DiagnosticEvent.Ephemeral && event.DiagnosticEvent.Severity == "error":
		message := strings.TrimSpace(Uncolored(event.DiagnosticEvent.Message))
		if urn := event.DiagnosticEvent.URN; urn != "" {
			message = nameOf(urn) + ": " + message
		}
		return []string{message}
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

// Uncolored removes the Pulumi engine's colour marks from a text, such as <{%reset%}>.
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

// Outputs returns the stack's outputs, secret ones in plain text.
func (s *Stack) Outputs(ctx context.Context) (auto.OutputMap, error) {
	s.cli.outputs = true
	defer func() { s.cli.outputs = false }()
	outputs, err := s.stack.Outputs(ctx)
	if err != nil {
		return nil, fmt.Errorf("pulumi stack output: %w", err)
	}
	return outputs, nil
}

// StateFile returns the state as it is on the disk, secrets encrypted.
func (s *Stack) StateFile() ([]byte, error) {
	path := filepath.Join(s.dir, backendFolder, ".pulumi", "stacks", string(s.project.Name), s.options.Stack+".json")
	state, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return state, nil
}

// State returns the resources in the state, secrets encrypted.
func (s *Stack) State() (*apitype.DeploymentV3, error) {
	text, err := s.StateFile()
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
