// Package script runs scripts of nodes in tests, with fakes of the programs that they call.
package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Run runs a script with bash and these variables, and returns what it prints. Its argument is the action. The folder of fake programs
// comes first on PATH. The test is skipped without bash or curl.
func Run(t *testing.T, text, action, fakes string, variables ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the scripts need it", program)
		}
	}
	command := exec.Command("bash", "-c", "set -euo pipefail\n"+text, "script", action)
	command.Env = append(append(os.Environ(), variables...), "PATH="+fakes+":"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// Fake writes fake programs into a folder: their texts by their names.
func Fake(t *testing.T, folder string, programs map[string]string) {
	t.Helper()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// EngineCurl is the text of a curl that gives this answer for the engine's socket. It reaches all else as curl does.
func EngineCurl(answer string) string {
	return "#!/bin/sh\ncase \"$*\" in\n*--unix-socket*) echo '" + answer + "' ;;\n*) PATH=${PATH#*:} exec curl \"$@\" ;;\nesac\n"
}
