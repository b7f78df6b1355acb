// Package workflows holds GitHub's workflows to the rules of docs/ci.md.
package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is a file of .github/workflows.
type workflow struct {
	Permissions map[string]string
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]struct {
		Uses        string
		If          string
		Strategy    struct{ Matrix map[string]any }
		Needs       any
		Environment any
		Permissions map[string]string
		Secrets     any
		With        map[string]string
		Outputs     map[string]string
		Steps       []struct {
			ID   string
			Uses string
			Run  string
			If   string
			With map[string]any
			Env  map[string]string
		}
	}
}

// workflows returns the workflows and their texts by file name.
func workflows(t *testing.T) (map[string]workflow, map[string]string) {
	t.Helper()
	files, err := filepath.Glob("../../.github/workflows/*.y*ml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows (%v)", err)
	}
	parsed, texts := map[string]workflow{}, map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var one workflow
		if err := yaml.Unmarshal(content, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		parsed[filepath.Base(file)], texts[filepath.Base(file)] = one, string(content)
	}
	return parsed, texts
}

var pinned = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}$`)

// TestWorkflowsHaveLeastRights holds the pinned actions, the permissions, and that no expression is pasted into a shell.
func TestWorkflowsHaveLeastRights(t *testing.T) {
	// What a job may have besides reading the repository.
	more := map[string]string{"id-token": "write", "pull-requests": "write"}
	all, texts := workflows(t)
	for file, w := range all {
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: permissions %v, want contents: read alone", file, w.Permissions)
		}
		if strings.Contains(texts[file], "pull_request_target") || strings.Contains(texts[file], "workflow_run") {
			t.Errorf("%s runs a fork's code with this repository's secrets", file)
		}
		for name, job := range w.Jobs {
			for right, level := range job.Permissions {
				if level != "read" && more[right] != level {
					t.Errorf("%s: job %s may %s %s", file, name, level, right)
				}
			}
			if job.Uses != "" && !strings.HasPrefix(job.Uses, "./") {
				t.Errorf("%s: job %s uses a workflow of another repository: %s", file, name, job.Uses)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: job %s: %s is not pinned to a commit", file, name, step.Uses)
				}
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves the token in the checkout", file, name)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: job %s pastes an expression into a shell:\n%s", file, name, step.Run)
				}
				if step.Run != "" && w.Defaults.Run.Shell != "bash" {
					t.Errorf("%s: job %s runs a shell that ignores failures in pipes", file, name)
				}
				if strings.Contains(step.Run, "echo \"") && strings.Contains(step.Run, "=$(") && regexp.MustCompile(`echo "[^"]*\$\(`).MatchString(step.Run) {
					t.Errorf("%s: job %s ignores the failure of a command inside of echo:\n%s", file, name, step.Run)
				}
			}
		}
	}
}

// TestSecretsNeedAnApprovedEnvironment holds that every job with a secret, or with a login to AWS, runs in an environment.
func TestSecretsNeedAnApprovedEnvironment(t *testing.T) {
	all, _ := workflows(t)
	for file, w := range all {
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				text, err := yaml.Marshal(step)
				if err != nil {
					t.Fatal(err)
				}
				for _, what := range []string{"secrets.", "configure-aws-credentials", "_ROLE"} {
					if strings.Contains(string(text), what) && job.Environment == nil {
						t.Errorf("%s: job %s has %s and no environment, so whoever may push a branch has it", file, name, what)
					}
				}
			}
			if job.Secrets != nil && job.Uses != "./.github/workflows/pulumi.yml" {
				t.Errorf("%s: job %s hands its secrets to %s", file, name, job.Uses)
			}
		}
	}
}

// TestEnvironmentsAreThoseOfStacks holds that an environment has a fixed name, or one that tools/stacks.sh lists.
func TestEnvironmentsAreThoseOfStacks(t *testing.T) {
	all, _ := workflows(t)
	for file, w := range all {
		for name, job := range w.Jobs {
			environment, ok := job.Environment.(string)
			if job.Environment == nil || ok && !strings.Contains(environment, "${{") {
				continue
			}
			found := regexp.MustCompile(`^\$\{\{ needs\.(\w+)\.outputs\.(\w+) }}$`).FindStringSubmatch(environment)
			if found == nil {
				t.Errorf("%s: job %s runs in the environment %v, which anybody may name", file, name, job.Environment)
				continue
			}
			checked := false
			for _, step := range w.Jobs[found[1]].Steps {
				checked = checked || strings.Contains(step.Run, `=$(tools/stacks.sh "$`) &&
					w.Jobs[found[1]].Outputs[found[2]] == "${{ steps."+step.ID+".outputs."+found[2]+" }}"
			}
			if !checked {
				t.Errorf("%s: job %s does not look its stack up with tools/stacks.sh", file, found[1])
			}
		}
	}
}

// TestNoStackIsNoFailure holds that a job for each stack does not run if there is none. GitHub fails on an empty matrix.
func TestNoStackIsNoFailure(t *testing.T) {
	all, _ := workflows(t)
	seen := 0
	for file, w := range all {
		for name, job := range w.Jobs {
			for _, values := range job.Strategy.Matrix {
				text, _ := values.(string)
				found := regexp.MustCompile(`^\$\{\{ fromJSON\((needs\.\w+\.outputs\.\w+)\) }}$`).FindStringSubmatch(text)
				if found == nil {
					continue // a list that is there
				}
				seen++
				if want := found[1] + " != '[]'"; job.If != want {
					t.Errorf("%s: job %s runs if %q, want %q", file, name, job.If, want)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no job has a matrix of stacks")
	}
}

// TestOnlyStacksAreListed runs tools/stacks.sh.
func TestOnlyStacksAreListed(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed: tools/stacks.sh needs it")
	}
	list := func(script string, arguments ...string) (string, error) {
		output, err := exec.CommandContext(t.Context(), "bash", append([]string{script}, arguments...)...).Output()
		return strings.TrimSpace(string(output)), err
	}
	const script = "../../tools/stacks.sh"
	if all, err := list(script); err != nil || all != `["dev","production"]` {
		t.Errorf("the stacks are %s (%v)", all, err)
	}
	if one, err := list(script, "dev"); err != nil || one != "dev" {
		t.Errorf("the stack dev is %q (%v)", one, err)
	}
	for _, name := range []string{"", "lab", "Dev", "dev2", "de", "d*", "dev\ndev", "dev; echo", "../dev", "preview", "github-pages", "-"} {
		if one, err := list(script, name); err == nil || one != "" {
			t.Errorf("%q is a stack: %q", name, one)
		}
	}
	// Elsewhere, with other files.
	content, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	for files, want := range map[string]string{
		"": "[]", "Pulumi.lab.yaml": "[]", "Pulumi.a.yaml Pulumi.b-2.x.yaml Pulumi.lab.yaml": `["a","b-2.x"]`, `Pulumi.a".yaml`: "", "Pulumi.$HOME.yaml": "",
	} {
		folder := t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "tools"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "tools", "stacks.sh"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		for file := range strings.FieldsSeq(files) {
			if err := os.WriteFile(filepath.Join(folder, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := list(filepath.Join(folder, "tools", "stacks.sh")); all != want || (err != nil) != (want == "") {
			t.Errorf("with the files %q the stacks are %s (%v), want %s", files, all, err, want)
		}
	}
}
