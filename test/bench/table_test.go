package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// figure is one line of the table.
type figure struct {
	what   string
	value  float64
	target target
	unit   string // after the value: "×", "ms", "MiB", or nothing for a ratio
	remark string // about this run
}

// target is a limit for a figure; the zero value is none.
type target struct {
	sign  string // ≥ or ≤
	limit float64
}

func atLeast(limit float64) target { return target{"≥", limit} }
func atMost(limit float64) target  { return target{"≤", limit} }

// met reports whether the value keeps within the target.
func (t target) met(value float64) bool {
	switch t.sign {
	case "≥":
		return value >= t.limit
	case "≤":
		return value <= t.limit
	}
	return true
}

// table is the figures measured so far.
var table []figure

// millionTable is what TestMillion measured: pairs of a name and a text.
var millionTable [][]string

// reporting guards table while tests run beside each other.
var reporting sync.Mutex

// report adds the figure to the table. It is judged at the end, and only at full length: a short measurement beside other
// tests says nothing.
func report(t *testing.T, f figure) {
	t.Helper()
	reporting.Lock()
	defer reporting.Unlock()
	table = append(table, f)
	t.Log(strings.Join(f.cells(), "  "))
}

// missed is how many figures miss their targets.
func missed() (n int) {
	for _, f := range table {
		if !f.target.met(f.value) {
			n++
		}
	}
	return n
}

// cells are the columns of the table.
func (f figure) cells() []string {
	wanted, mark := "", ""
	if f.target.sign != "" {
		wanted = f.target.sign + " " + withUnit(f.target.limit, f.unit)
		mark = "met"
		if !f.target.met(f.value) {
			mark = "**missed**"
		}
	}
	return []string{f.what, withUnit(f.value, f.unit), wanted, mark, f.remark}
}

// withUnit is a number with two or three significant digits and its unit.
func withUnit(value float64, unit string) string {
	text := fmt.Sprintf("%.2f", value)
	switch {
	case value >= 100 || value == float64(int64(value)):
		text = fmt.Sprintf("%.0f", value)
	case value >= 10:
		text = fmt.Sprintf("%.1f", value)
	}
	switch unit {
	case "", "×":
		return text + unit
	}
	return text + " " + unit
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// tables are the tables in Markdown, by the name of their place in the document.
func tables() map[string]string {
	made := map[string]string{}
	if len(table) > 0 {
		rows := [][]string{{"what", "figure", "target", "", "in this run"}}
		for _, f := range table {
			rows = append(rows, f.cells())
		}
		made["bench"] = markdown(rows)
	}
	if len(millionTable) > 0 {
		made["million"] = markdown(append([][]string{{"a million votes", ""}}, millionTable...))
	}
	return made
}

// markdown is a table; its first row is the head.
func markdown(rows [][]string) string {
	var text strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&text, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	return text.String()
}

// writeTables writes each table into a document, between the comments "<!-- name -->" and "<!-- end of name -->".
func writeTables(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := string(content)
	for name, table := range tables() {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, found := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return fmt.Errorf("%s has no place for a table: add lines with %q and %q", file, strings.TrimSpace(begin), end)
		}
		text = before + begin + table + end + after
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func TestWriteTables(t *testing.T) {
	savedTable, savedMillion := table, millionTable
	defer func() { table, millionTable = savedTable, savedMillion }()
	table = []figure{{"fast", 0.5, atLeast(0.6), "", "rather slow"}, {"small", 12, atMost(15), "MiB", ""}}
	millionTable = nil
	file := filepath.Join(t.TempDir(), "document.md")
	if err := os.WriteFile(file, []byte("# Title\n<!-- bench -->\nold\n<!-- end of bench -->\nrest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "# Title\n<!-- bench -->\n| what | figure | target |  | in this run |\n|---|---|---|---|---|\n" +
		"| fast | 0.50 | ≥ 0.60 | **missed** | rather slow |\n| small | 12 MiB | ≤ 15 MiB | met |  |\n<!-- end of bench -->\nrest\n"
	for range 2 { // the second time changes nothing
		if err := writeTables(file); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Fatalf("the document is (%v)\n%s\nwant\n%s", err, got, want)
		}
	}
	millionTable = [][]string{{"votes", "1"}}
	if err := writeTables(file); err == nil || !strings.Contains(err.Error(), "<!-- million -->") {
		t.Errorf("a document without a place for the table: %v", err)
	}
}
