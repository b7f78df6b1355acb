// Package e2e tests the whole system: the stack on a lab of hosts, with real providers, engines, Swarm, load balancers and databases.
// It goes from an empty lab to an empty lab, while voters vote and keep books. `make e2e` runs it. If the machine lacks a part, it is
// skipped with a line for each part.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Outcome is the outcome of a step.
type Outcome string

// The outcomes of a step.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "not run"
)

// Row is one step in the summary.
type Row struct {
	Step    string // its number and name
	Outcome Outcome
	Checked []string // the checks that passed, with figures
	Took    time.Duration
}

// Report is the summary of a run.
type Report struct {
	Rows []Row
}

// Markdown is the report as a table.
func (r *Report) Markdown() string {
	var text strings.Builder
	text.WriteString("| step | | what was checked | s |\n|---|---|---|---:|\n")
	for _, row := range r.Rows {
		checked := strings.ReplaceAll(strings.Join(row.Checked, "<br>"), "|", "\\|")
		fmt.Fprintf(&text, "| %s | %s | %s | %.0f |\n", row.Step, row.Outcome, strings.ReplaceAll(checked, "\n", " "), row.Took.Seconds())
	}
	return text.String()
}

// marks returns the lines around a kind of cluster's summary in a document.
func marks(cluster string) (begin, end string) {
	mark := "<!-- written by make e2e WRITE=1 CLUSTER=" + cluster
	return mark + ": begin -->", mark + ": end -->"
}

// errNoMarks is the error for a document without the marks.
var errNoMarks = errors.New("the document lacks lines, in this order")

// WriteInto replaces what is between the marks of a kind of cluster in a document.
func WriteInto(file, cluster, text string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the report's document: %w", err)
	}
	begin, end := marks(cluster)
	before, rest, found := strings.Cut(string(content), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return fmt.Errorf("%s: %w: %s and %s", file, errNoMarks, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n\n"+strings.TrimSpace(text)+"\n\n"+end+after), 0o644)
}
