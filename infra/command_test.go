package infra

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// TestScriptGetsItsVariables has a shell run a node's command line. The values try to break out of their quotes.
func TestScriptGetsItsVariables(t *testing.T) {
	values := map[string]string{
		"PLAIN":  "192.168.33.11",
		"QUOTES": `it's "quoted" and \back\slashed`,
		"SHELL":  "$(echo broken out) `id` ; echo broken; exit 3 & | > < * ?",
		"LINES":  "first\nsecond\n\tthird",
		"EMPTY":  "",
		"OTHER":  "猫 or 犬",
	}
	text := "set -euo pipefail\n"
	for name := range values {
		text += `printf '%s=%s\0' ` + name + ` "$` + name + "\"\n"
	}
	text += `printf 'ACTION=%s\0MACHINE=%s\0' "$1" "$SWARM_SCALE_MACHINE"` + "\n"

	variables := map[string]pulumi.StringInput{}
	for name, value := range values {
		variables[name] = pulumi.String(value)
	}
	input := make(chan string, 1)
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		Script{Text: text, Variables: variables}.standardInput(pulumi.String("i-0abc")).ApplyT(func(text string) string {
			input <- text
			return text
		})
		return nil
	}, pulumi.WithMocks("project", "stack", recorder{}))
	if err != nil {
		t.Fatal(err)
	}
	// Nothing here needs root.
	line := strings.ReplaceAll(string(commandLine("name", "delete")), "sudo -n ", "")
	command := exec.Command("sh", "-c", line)
	command.Stdin = strings.NewReader(<-input)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	got := map[string]string{}
	for pair := range strings.SplitSeq(strings.TrimSuffix(string(output), "\x00"), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		got[name] = value
	}
	values["ACTION"], values["MACHINE"] = "delete", "i-0abc"
	for name, want := range values {
		if got[name] != want {
			t.Errorf("%s arrives as %q, want %q", name, got[name], want)
		}
	}
}
