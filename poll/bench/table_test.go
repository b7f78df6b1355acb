package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// figure is one line of the table.
type figure struct {
	what   string
	value  float64
	target target
	unit   string // after the value: "×", "ms", "MiB", or nothing for a ratio
	remark string
}

// target is what a figure should be; the zero value is no target.
type target struct {
	sign  string // ≥ or ≤
	limit float64
}

func atLeast(limit float64) target { return target{"≥", limit} }
func atMost(limit float64) target  { return target{"≤", limit} }

// met reports whether the value is as it should be.
func (t target) met(value float64) bool {
	switch t.sign {
	case "≥":
		return value >= t.limit
	case "≤":
		return value <= t.limit
	}
	return true
}

// table is what was measured so far.
var table []figure

// report adds the figure to the table. Only at full length it is judged: shortened, and among other tests, it says nothing.
func report(t *testing.T, f figure) {
	t.Helper()
	table = append(table, f)
	t.Log(strings.Join(f.cells(), "  "))
	if *full && !f.target.met(f.value) {
		t.Errorf("%s: missed, %s", f.what, strings.Join(f.cells()[1:3], ", wanted "))
	}
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

// withUnit is a number with as many digits as matter.
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
