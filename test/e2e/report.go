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

// The marks around the summary in a document.
const (
	beginMark = "<!-- written by make e2e WRITE=1: begin -->"
	endMark   = "<!-- written by make e2e WRITE=1: end -->"
)

// errNoMarks is the error for a document without the marks.
var errNoMarks = errors.New("the document lacks the lines " + beginMark + " and " + endMark + ", in that order")

// WriteInto replaces what is between the marks of a document.
func WriteInto(file, text string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the report's document: %w", err)
	}
	before, rest, found := strings.Cut(string(content), beginMark)
	_, after, foundEnd := strings.Cut(rest, endMark)
	if !found || !foundEnd {
		return fmt.Errorf("%s: %w", file, errNoMarks)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+strings.TrimSpace(text)+"\n\n"+endMark+after), 0o644)
}
