package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"swarm-scale/test/harness"
)

// view prints operations as lines: the same on a terminal, in colour, and in a log. It is used by one goroutine at a time.
type view struct {
	output io.Writer
	color  bool
	start  time.Time // of the operation
	table  bool      // a table at the end instead of a line for each resource
}

// newView returns a view that colours if the output is a terminal and NO_COLOR is not set.
func newView(output io.Writer) *view {
	file, ok := output.(*os.File)
	return &view{output: output, color: ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""}
}

func (v *view) printf(format string, args ...any) { fmt.Fprintf(v.output, format, args...) }

// paint gives a text a colour or a weight, by the number that a terminal knows it by.
func (v *view) paint(code int, text string) string {
	if !v.color {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, text)
}

func (v *view) bold(text string) string  { return v.paint(1, text) }
func (v *view) red(text string) string   { return v.paint(31, text) }
func (v *view) green(text string) string { return v.paint(32, text) }
func (v *view) blue(text string) string  { return v.paint(34, text) }

// begin prints the heading of an operation. It is shown as a table at its end, or by a line for each resource.
func (v *view) begin(title string, table bool) {
	v.printf("\n%s\n\n", v.bold(title))
	v.start, v.table = time.Now(), table
}

// event prints a line when a resource was changed, or could not be. Components and the stack have none: nothing is made for
// them.
func (v *view) event(e events.EngineEvent) {
	switch {
	case e.ResOutputsEvent != nil && !v.table:
		if m := e.ResOutputsEvent.Metadata; custom(m) && m.Op != apitype.OpSame && m.Op != apitype.OpReplace {
			v.line(v.blue(fmt.Sprintf("%-8s", verb(m.Op))), m)
		}
	case e.ResOpFailedEvent != nil:
		v.line(v.red("FAILED  "), e.ResOpFailedEvent.Metadata)
	}
}

func (v *view) line(done string, m apitype.StepEventMetadata) {
	v.printf("  %6s  %s  %-30s %s\n", seconds(time.Since(v.start)), done, kindName(m.Type), m.URN[strings.LastIndex(m.URN, ":")+1:])
}

// custom says whether a step is on a resource of a provider.
func custom(m apitype.StepEventMetadata) bool {
	return m.New != nil && m.New.Custom || m.New == nil && m.Old != nil && m.Old.Custom
}

// end prints what an operation came to.
func (v *view) end(result *harness.Result, err error) {
	mark := v.green("✓")
	if err != nil {
		mark = v.red("✗")
	}
	if v.table {
		v.groups(result)
	}
	v.printf("  %s %s in %s\n", mark, counts(result.Counts), seconds(result.Wall))
}

// groups prints a table of an operation: how many resources of each type are created, changed and so on, and which.
func (v *view) groups(result *harness.Result) {
	type group struct {
		op   apitype.OpType
		kind string
	}
	var groups []group
	names := map[group][]string{}
	for _, step := range result.Steps {
		g := group{step.Op, kindName(step.Type)}
		if !slices.Contains([]apitype.OpType{apitype.OpCreate, apitype.OpUpdate, apitype.OpReplace, apitype.OpDelete}, g.op) {
			continue
		}
		if names[g] == nil {
			groups = append(groups, g)
		}
		names[g] = append(names[g], step.Name)
	}
	slices.SortStableFunc(groups, func(a, b group) int { return strings.Compare(string(a.op), string(b.op)) })
	for _, g := range groups {
		slices.Sort(names[g])
		names[g] = slices.Compact(names[g]) // a component's step comes twice: at its beginning and at its end
		v.printf("  %s %3d  %-30s %s\n", v.blue(fmt.Sprintf("%-8s", verb(g.op))), len(names[g]), g.kind, shorten(strings.Join(names[g], " "), 60))
	}
}

// outputs prints the stack's outputs, secrets hidden.
func (v *view) outputs(outputs auto.OutputMap) error {
	values := map[string]any{}
	for name, output := range outputs {
		values[name] = output.Value
		if output.Secret {
			values[name] = "(secret)"
		}
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		return fmt.Errorf("print the outputs: %w", err)
	}
	v.printf("\n  %s\n\n    %s\n\n", v.bold("Outputs"), strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    "))
	return nil
}

// counts renders the Pulumi engine's counts in a fixed order, such as "create 2, unchanged 1".
func counts(c map[apitype.OpType]int) string {
	var parts []string
	for _, op := range []apitype.OpType{apitype.OpCreate, apitype.OpUpdate, apitype.OpReplace, apitype.OpDelete, apitype.OpSame} {
		if c[op] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", verb(op), c[op]))
		}
	}
	return strings.Join(parts, ", ")
}

// verb renders a kind of step in one short word.
func verb(op apitype.OpType) string {
	switch op {
	case apitype.OpCreateReplacement:
		return string(apitype.OpReplace)
	case apitype.OpDeleteReplaced:
		return "remove"
	case apitype.OpSame:
		return "unchanged"
	}
	return string(op)
}

// kindName renders a type token for people: "ec2 Instance", "docker Container", "aws provider".
func kindName(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) != 3 {
		return token
	}
	if parts[1] == "providers" {
		return parts[2] + " provider"
	}
	module, _, _ := strings.Cut(parts[1], "/")
	if module == "index" {
		module = parts[0]
	}
	return module + " " + parts[2]
}

// shorten cuts a text to a number of characters.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// seconds renders a duration, such as "2.3 s".
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// minutes renders a long duration, such as "4 min 10 s".
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
}
