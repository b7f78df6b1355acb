// Package e2e runs the whole system for real: the stack on a lab of hosts, with the real providers, engines, Swarm, load
// balancers and databases, from nothing to nothing, while voters vote and keep books. `make e2e` runs it; where a part is
// missing on the machine it is skipped, with one line for each.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Outcome is what came of a step.
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
	Checked []string // what was checked, with figures
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

// The marks between which a document has what a run has written.
const (
	beginMark = "<!-- written by make e2e WRITE=1: begin -->"
	endMark   = "<!-- written by make e2e WRITE=1: end -->"
)

// errNoMarks is returned for a document that has no place for a report.
var errNoMarks = errors.New("the document lacks the lines " + beginMark + " and " + endMark + ", in that order")

// WriteInto puts a text between the marks of a document, in place of what was there.
func WriteInto(file, text string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading where the report goes: %w", err)
	}
	before, rest, found := strings.Cut(string(content), beginMark)
	_, after, foundEnd := strings.Cut(rest, endMark)
	if !found || !foundEnd {
		return fmt.Errorf("%s: %w", file, errNoMarks)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+strings.TrimSpace(text)+"\n\n"+endMark+after), 0o644)
}
