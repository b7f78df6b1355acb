package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReportIsATable(t *testing.T) {
	report := Report{Rows: []Row{
		{Step: "1 up", Outcome: Passed, Checked: []string{"4 nodes", "a|b\nc"}, Took: 61500 * time.Millisecond},
		{Step: "2 votes", Outcome: Failed},
	}}
	want := "| step | | what was checked | s |\n|---|---|---|---:|\n" +
		"| 1 up | passed | 4 nodes<br>a\\|b c | 62 |\n| 2 votes | failed |  | 0 |\n"
	if got := report.Markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReportReplacesWhatIsBetweenTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "e2e.md")
	beginMark, endMark := marks("standalone")
	other, otherEnd := marks("swarm-mode")
	for content, want := range map[string]string{
		"above\n" + beginMark + "\nold\n" + endMark + "\nbelow\n":                     "above\n" + beginMark + "\n\nnew\n\n" + endMark + "\nbelow\n",
		other + "\nkept\n" + otherEnd + "\n" + beginMark + "\nold\n" + endMark + "\n": other + "\nkept\n" + otherEnd + "\n" + beginMark + "\n\nnew\n\n" + endMark + "\n",
		"no marks\n":                        "",
		other + "\nold\n" + otherEnd + "\n": "",
		endMark + "\n" + beginMark + "\n":   "",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := WriteInto(file, "standalone", "new\n")
		if want == "" {
			if !errors.Is(err, errNoMarks) || !strings.Contains(err.Error(), file) {
				t.Errorf("%q: %v, want errNoMarks with the file's name", content, err)
			}
			want = content
		} else if err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%q became %q (%v), want %q", content, got, err, want)
		}
	}
}
