package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// earlyReader matches a command that may stop reading before its input ends, behind a pipe. The writer then fails with SIGPIPE, and
// with pipefail so does the line: by chance, because a short answer fits into the pipe.
var earlyReader = regexp.MustCompile(`[^|]\|&?\s*(` +
	`(\S+=\S+\s+)*(e|f|z)?grep\s([^|]*\s)?(-[a-zA-Z]*[qmlL]|--quiet|--silent|--max-count|--files-with)` +
	`|head\b` +
	`|sed\s[^|]*(\d|/)\s*[qQ]\b` +
	`|awk\s[^|]*\bexit\b` +
	`|read\b` +
	`)`)

// readsAll are ways out of awk that read everything first.
var readsAll = regexp.MustCompile(`END\s*\{[^}]*\bexit\b`)

// partOfWord matches a grep that takes "old-store" for "store".
var partOfWord = regexp.MustCompile(`grep\s([^|]*\s)?(-[a-zA-Z]*w|--word-regexp)`)

// TestScriptsReadPipesToTheEnd looks for both in every shell script, and in the shell lines of other files.
func TestScriptsReadPipesToTheEnd(t *testing.T) {
	const root = "../.."
	list := exec.Command("git", "-C", root, "ls-files", "*.sh", ".ci/run", "Makefile", "*Dockerfile", "*.yml", "*.yaml", "*.go", ":!test/architecture")
	files, err := list.Output()
	if err != nil {
		t.Skipf("git does not list the files of the project: %v", err)
	}
	for file := range strings.FieldsSeq(string(files)) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
			continue
		}
		// A pipe at the end of a line goes on in the next one.
		text := regexp.MustCompile(`\|\s*\n\s*`).ReplaceAllString(string(content), "| ")
		for line := range strings.Lines(text) {
			command := strings.TrimSpace(line)
			if strings.HasPrefix(command, "#") || strings.HasPrefix(command, "//") {
				continue
			}
			if earlyReader.MatchString(command) && !readsAll.MatchString(command) {
				t.Errorf("%s: %q may stop before its input ends: read the whole into a variable, or have awk read on", file, command)
			}
			if partOfWord.MatchString(command) {
				t.Errorf("%s: %q takes a part of a name for the name: compare whole lines with grep -x, or whole fields with awk", file, command)
			}
		}
	}
}
