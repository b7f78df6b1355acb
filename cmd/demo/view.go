package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"swarm-scale/test/harness"
)

// view shows the operations to a person: on a terminal a tree that is redrawn in
// place, elsewhere a line for each resource that is done.
type view struct {
	mu     sync.Mutex
	output io.Writer
	live   bool // redraw in place
	color  bool
	drawn  int // lines of the tree on the screen, to be drawn over

	start  time.Time
	groups []*group
	// planned are the groups of the preview before, with the number of their
	// resources: what is still to come is known.
	planned  []*group
	expected map[string]int
	ticker   *time.Ticker
	ended    chan struct{}
	drawing  sync.WaitGroup
}

// group is the resources of one type in one component.
type group struct {
	component, kind string
	items           []*item
}

// item is one resource in the current operation.
type item struct {
	name           string
	op             apitype.OpType
	running        bool
	failed         bool
	started, ended time.Time
}

func newView(output io.Writer) *view {
	_, _, live := terminal(output)
	return &view{
		output: output, live: live, color: live && os.Getenv("NO_COLOR") == "", expected: map[string]int{},
	}
}

func (v *view) printf(format string, args ...any) { fmt.Fprintf(v.output, format, args...) }

// paint wraps a text in a colour.
func (v *view) paint(code, text string) string {
	if !v.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (v *view) bold(text string) string  { return v.paint("1", text) }
func (v *view) dim(text string) string   { return v.paint("2", text) }
func (v *view) green(text string) string { return v.paint("32", text) }
func (v *view) red(text string) string   { return v.paint("31", text) }
func (v *view) cyan(text string) string  { return v.paint("36", text) }

// note prints a line of good news.
func (v *view) note(text string) { v.printf("  %s %s\n", v.green("✓"), text) }

// begin opens an operation under a heading. What the preview before announced is
// in the tree from the beginning if the operation is to carry it out.
func (v *view) begin(number, of int, title string, carryOut bool) {
	v.printf("\n%s %s\n\n", v.dim(fmt.Sprintf("%d/%d", number, of)), v.bold(title))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.start, v.groups, v.drawn, v.expected = time.Now(), nil, 0, map[string]int{}
	if carryOut {
		for _, g := range v.planned {
			v.groups = append(v.groups, &group{component: g.component, kind: g.kind})
			v.expected[g.key()] = len(g.items)
		}
	}
	if !v.live {
		return
	}
	v.ticker, v.ended = time.NewTicker(100*time.Millisecond), make(chan struct{})
	ticks, ended := v.ticker.C, v.ended
	v.drawing.Go(func() {
		for {
			select {
			case <-ticks:
				v.mu.Lock()
				_, height, _ := terminal(v.output)
				v.draw(height - 3)
				v.mu.Unlock()
			case <-ended:
				return
			}
		}
	})
}

// finish stops redrawing.
func (v *view) finish() {
	if v.ticker == nil {
		return
	}
	v.ticker.Stop()
	close(v.ended)
	v.drawing.Wait()
	v.ticker = nil
}

// display is how an operation's end is shown.
type display int

const (
	summary    display = iota // a line for each component
	everything                // a line for each type of resource
	planned                   // a summary of what would be done
)

// end closes an operation with its tree and its counts.
func (v *view) end(result *harness.Result, err error, shown display) {
	v.finish()
	v.mu.Lock()
	defer v.mu.Unlock()
	limit := 1
	if shown == everything || err != nil {
		limit = 0
	}
	v.draw(limit)
	v.drawn = 0
	v.planned = nil
	if shown == planned {
		v.planned = v.groups
	}
	if !v.live {
		for _, line := range v.tree(80, limit) {
			v.printf("%s\n", line)
		}
	}
	mark := v.green("✓")
	if err != nil {
		mark = v.red("✗")
	}
	v.printf("\n  %s %s in %s\n", mark, counts(result.Counts, shown == planned), seconds(result.Wall))
}

// event takes in what the engine tells.
func (v *view) event(e events.EngineEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case e.ResourcePreEvent != nil:
		if it := v.find(e.ResourcePreEvent.Metadata); it != nil {
			it.running, it.started = true, time.Now()
		}
	case e.ResOutputsEvent != nil:
		v.done(e.ResOutputsEvent.Metadata, false)
	case e.ResOpFailedEvent != nil:
		v.done(e.ResOpFailedEvent.Metadata, true)
	}
}

// done marks a resource as done and, where nothing is redrawn, says so.
func (v *view) done(m apitype.StepEventMetadata, failed bool) {
	it := v.find(m)
	if it == nil {
		return
	}
	it.running, it.failed, it.ended = false, failed, time.Now()
	if v.live || m.Op == apitype.OpSame || m.Op == apitype.OpReplace {
		return
	}
	word := verb(m.Op)
	if failed {
		word = "FAILED"
	}
	v.printf("  %6s  %-8s %-28s %s\n", seconds(time.Since(v.start)), word, kindName(m.Type), it.name)
}

// find returns the item of a step, made when first heard of; nil for the stack
// itself and for components, which are the branches of the tree.
func (v *view) find(m apitype.StepEventMetadata) *item {
	state := m.New
	if state == nil {
		state = m.Old
	}
	if state == nil || !state.Custom {
		return nil
	}
	component := nameOf(state.Parent)
	if strings.Contains(state.Parent, "::pulumi:pulumi:Stack::") || component == "" {
		component = "stack"
	}
	kind, name := kindName(m.Type), nameOf(m.URN)
	at := slices.IndexFunc(v.groups, func(g *group) bool { return g.component == component && g.kind == kind })
	if at < 0 {
		at = len(v.groups)
		v.groups = append(v.groups, &group{component: component, kind: kind})
	}
	g := v.groups[at]
	for _, it := range g.items {
		if it.name == name {
			it.op = m.Op
			return it
		}
	}
	it := &item{name: name, op: m.Op}
	g.items = append(g.items, it)
	return it
}

func (g *group) key() string { return g.component + "/" + g.kind }

// counted returns how many of a group's resources are done, failed and running.
func (g *group) counted() (done, failed int, running []string) {
	for _, it := range g.items {
		switch {
		case it.running:
			running = append(running, it.name)
		case it.failed:
			failed++
		default:
			done++
		}
	}
	return done, failed, running
}

// draw puts the tree on the screen, over the one before, in full if it has no
// more than limit lines or limit is 0. The mutex must be held.
func (v *view) draw(limit int) {
	if !v.live {
		return
	}
	width, _, _ := terminal(v.output)
	lines := v.tree(min(width, 100), limit)
	var frame strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&frame, "\x1b[%dA", v.drawn)
	}
	for _, line := range lines {
		frame.WriteString("\x1b[2K" + line + "\n")
	}
	frame.WriteString("\x1b[J")
	_, _ = io.WriteString(v.output, frame.String())
	v.drawn = len(lines)
}

// tree renders the components and what is in them, a line for each type; or, if
// that is more than limit lines and limit is not 0, a line for each component.
func (v *view) tree(width, limit int) []string {
	var components []string
	for _, g := range v.groups {
		if !slices.Contains(components, g.component) {
			components = append(components, g.component)
		}
	}
	sort.SliceStable(components, func(i, j int) bool { return components[i] == "stack" && components[j] != "stack" })

	var full, short []string
	for i, component := range components {
		branch, stem := "├─ ", "│  "
		if i == len(components)-1 {
			branch, stem = "└─ ", "   "
		}
		var members []*group
		whole := &group{component: component, kind: component}
		total := 0
		for _, g := range v.groups {
			if g.component == component {
				members = append(members, g)
				whole.items = append(whole.items, g.items...)
				total += max(len(g.items), v.expected[g.key()])
			}
		}
		full = append(full, "  "+v.dim(branch)+v.bold(component))
		short = append(short, "  "+v.dim(branch)+v.line(whole, total, width-5))
		for j, g := range members {
			twig := "├─ "
			if j == len(members)-1 {
				twig = "└─ "
			}
			full = append(full, "  "+v.dim(stem+twig)+v.line(g, max(len(g.items), v.expected[g.key()]), width-8))
		}
	}
	if limit > 0 && len(full) > limit {
		return short
	}
	return full
}

// line renders one group: its state, its type, how far it is, and the names of
// what is under way, or of everything once it is done.
func (v *view) line(g *group, total, width int) string {
	done, failed, running := g.counted()
	mark := v.dim("·")
	switch {
	case failed > 0:
		mark = v.red("✗")
	case len(running) > 0:
		mark = v.cyan("●")
	case done >= total:
		mark = v.green("✓")
	}
	names := running
	if len(running) == 0 {
		for _, it := range g.items {
			names = append(names, it.name)
		}
		slices.Sort(names)
	}
	head := fmt.Sprintf("%-28s %3d/%-3d", g.kind, done, total)
	tail := shorten(strings.Join(names, " "), width-len(head)-3)
	if len(running) > 0 {
		tail = v.cyan(tail)
	} else {
		tail = v.dim(tail)
	}
	return mark + " " + head + " " + tail
}

// changes lists what a preview would do beside leaving things as they are, by
// the type of the resources.
func (v *view) changes(result *harness.Result) {
	for _, list := range []apitype.OpType{apitype.OpCreate, apitype.OpUpdate, apitype.OpReplace, apitype.OpDelete} {
		word := verb(list)
		var kinds []string
		names := map[string][]string{}
		for _, step := range result.Steps {
			if step.Op != list {
				continue
			}
			kind := kindName(step.Type)
			if names[kind] == nil {
				kinds = append(kinds, kind)
			}
			names[kind] = append(names[kind], step.Name)
		}
		for _, kind := range kinds {
			slices.Sort(names[kind])
			for _, line := range wrap(strings.Join(names[kind], " "), 38) {
				v.printf("    %-8s %-28s %s\n", word, kind, line)
				word, kind = "", ""
			}
		}
	}
}

// outputs prints the stack's outputs, secrets hidden.
func (v *view) outputs(outputs auto.OutputMap) {
	v.printf("\n  Outputs\n")
	var names []string
	for name := range outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		output := outputs[name]
		if output.Secret {
			v.printf("    %s: [secret]\n", name)
			continue
		}
		for _, line := range describe(name, output.Value) {
			v.printf("    %s\n", shorten(line, 76))
		}
	}
	v.printf("\n")
}

// describe renders an output's value as lines.
func describe(name string, value any) []string {
	switch value := value.(type) {
	case map[string]any:
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		lines := []string{name + ":"}
		for _, key := range keys {
			lines = append(lines, fmt.Sprintf("  %-12s %s", key, flat(value[key])))
		}
		return lines
	case []any:
		lines := []string{name + ":"}
		for _, element := range value {
			lines = append(lines, "  "+flat(element))
		}
		return lines
	}
	return []string{name + ": " + fmt.Sprint(value)}
}

// flat renders a value on one line.
func flat(value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		return fmt.Sprint(value)
	}
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var parts []string
	for _, key := range keys {
		parts = append(parts, fmt.Sprintf("%-15v", object[key]))
	}
	return strings.TrimRight(strings.Join(parts, " "), " ")
}

// counts renders the engine's counts in a fixed order, as done or as planned.
func counts(c map[apitype.OpType]int, plan bool) string {
	var parts []string
	for _, word := range []struct {
		op            apitype.OpType
		done, planned string
	}{
		{apitype.OpCreate, "created", "to create"}, {apitype.OpUpdate, "changed", "to change"},
		{apitype.OpReplace, "replaced", "to replace"}, {apitype.OpDelete, "deleted", "to delete"},
		{apitype.OpSame, "unchanged", "unchanged"},
	} {
		text := word.done
		if plan {
			text = word.planned
		}
		if n := c[word.op]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, text))
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// verb renders a kind of step in one short word.
func verb(op apitype.OpType) string {
	switch op {
	case apitype.OpUpdate:
		return "change"
	case apitype.OpCreateReplacement:
		return "replace"
	case apitype.OpDeleteReplaced:
		return "remove"
	}
	return string(op)
}

// kindName renders a type token for people: "ec2 Instance", "docker Container".
func kindName(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) != 3 {
		return token
	}
	if parts[0] == "pulumi" && parts[1] == "providers" {
		return parts[2] + " provider"
	}
	module, _, _ := strings.Cut(parts[1], "/")
	if module == "index" {
		module = parts[0]
	}
	return module + " " + parts[2]
}

// nameOf returns the resource's name in a URN.
func nameOf(urn string) string {
	if at := strings.LastIndex(urn, "::"); at >= 0 {
		return urn[at+len("::"):]
	}
	return urn
}

// shorten cuts a text to a number of columns.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return string(runes[:width-1]) + "…"
}

// wrap breaks a text at spaces into lines of at most width columns, where words
// allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// seconds renders a duration with one decimal, such as "2.3s"; short ones in
// milliseconds.
func seconds(d time.Duration) string {
	if d > 0 && d < time.Second/10 {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// minutes renders a long duration, such as "4 min 10 s".
func minutes(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
}
