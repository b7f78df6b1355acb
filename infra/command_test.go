package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// input returns what a node's bash reads.
func input(t *testing.T, script Script) string {
	t.Helper()
	read := make(chan string, 1)
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		script.standardInput(pulumi.String("i-0abc")).ApplyT(func(text string) string {
			read <- text
			return text
		})
		return nil
	}, pulumi.WithMocks("project", "stack", recorder{}))
	if err != nil {
		t.Fatal(err)
	}
	return <-read
}

// sudo stands in for sudo: it logs its arguments as sudo does, and runs the command.
const sudo = `#!/bin/bash
printf 'COMMAND=%s\n' "$*" >>"$SUDO_LOG"
[ "$1" = -n ] && shift
exec "$@"
`

// TestScriptGetsItsValues has every login shell that is installed run what a node would be given: a script with values that try
// to break out of their quotes. The result has to be the values themselves, and the action as the first argument.
func TestScriptGetsItsValues(t *testing.T) {
	values := map[string]string{
		"PLAIN":  "192.168.33.11",
		"QUOTES": `it's "quoted" and \back\slashed`,
		"SHELL":  "$(echo broken out) `id` ; echo broken; exit 3 & | > < * ?",
		"LINES":  "first\nsecond\n\tthird\n}",
		"EMPTY":  "",
		"OTHER":  "猫 or 犬",
	}
	text := ""
	for name := range values {
		text += `printf '%s=%s\0' ` + name + ` "$` + name + "\"\n"
	}
	text += `printf 'ACTION=%s\0MACHINE=%s\0' "$1" "$SWARM_SCALE_MACHINE"` + "\n"
	variables := map[string]pulumi.StringInput{}
	for name, value := range values {
		variables[name] = pulumi.String(value)
	}
	stdin := input(t, Script{Text: text, Variables: variables})
	values["ACTION"], values["MACHINE"] = "delete", "i-0abc"

	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "sudo"), []byte(sudo), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "fish", "tcsh", "ksh"} {
		t.Run(shell, func(t *testing.T) {
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			// As sshd runs a command: by the login shell of the user.
			command := exec.Command(program, "-c", string(commandLine("ubuntu", "name", "delete")))
			command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "SUDO_LOG=" + filepath.Join(t.TempDir(), "log"), "HOME=" + t.TempDir()}
			command.Stdin = strings.NewReader(stdin)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			got := map[string]string{}
			for pair := range strings.SplitSeq(strings.TrimSuffix(string(output), "\x00"), "\x00") {
				name, value, _ := strings.Cut(pair, "=")
				got[name] = value
			}
			for name, want := range values {
				if got[name] != want {
					t.Errorf("%s arrives as %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

// TestSecretsStandInNoCommandLine looks into every process's command line, and into sudo's log, while a script runs that was given
// a secret.
func TestSecretsStandInNoCommandLine(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("/proc is not there: command lines cannot be looked at")
	}
	const secret = "correct-horse-battery-staple-4711"
	folder := t.TempDir()
	log := filepath.Join(folder, "log")
	if err := os.WriteFile(filepath.Join(folder, "sudo"), []byte(sudo), 0o700); err != nil {
		t.Fatal(err)
	}
	// The script says when it runs, and goes on once it was looked at.
	running, looked := filepath.Join(folder, "running"), filepath.Join(folder, "looked")
	text := `[ "$PASSWORD" = ` + secret + ` ] && touch ` + running + "\nuntil [ -e " + looked + " ]; do sleep 0.05; done\necho looked at\n"
	command := exec.Command("sh", "-c", string(commandLine("ubuntu", "password", "create")))
	command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "SUDO_LOG=" + log}
	command.Stdin = strings.NewReader(input(t, Script{Text: text, Variables: map[string]pulumi.StringInput{"PASSWORD": pulumi.String(secret)}}))
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		if _, err := os.Stat(running); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the script ended: %v\n%s", err, output.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) < 2 {
		t.Fatalf("%d command lines: %v", len(lines), err)
	}
	for _, line := range lines {
		if content, err := os.ReadFile(line); err == nil && strings.Contains(string(content), secret) { // it may have ended
			t.Errorf("%s: %q", line, content)
		}
	}
	logged, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(logged), "create password") || strings.Contains(string(logged), secret) {
		t.Errorf("sudo's log: %v\n%s", err, logged)
	}
	if err := os.WriteFile(looked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || output.String() != "looked at\n" {
		t.Errorf("%v\n%s", err, output.String())
	}
}

// TestScriptReliesOnNothing holds that neither umask nor environment of the login change what a script does, that only "outside"
// goes by a proxy, and that a command that reads its standard input does not eat the script.
func TestScriptReliesOnNothing(t *testing.T) {
	stdin := input(t, Script{Text: `
cat
touch "$FOLDER/file"
stat -c %a "$FOLDER/file"
echo "proxies: $(env | grep -ci _proxy || true)"
outside sh -c 'echo "outside: $http_proxy $HTTPS_PROXY"'
echo "Docker: ${DOCKER_HOST-}${DOCKER_TLS_VERIFY-}"
echo "home: $HOME"
grep -o found <<<found
echo served >"$FOLDER/served"
curl --silent "file://$FOLDER/served"
false | true
echo not reached
`, Variables: map[string]pulumi.StringInput{"FOLDER": pulumi.String(t.TempDir())}})
	home := t.TempDir()
	for name, text := range map[string]string{".curlrc": "output = /dev/null\n", "start": "echo start-up file\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("sh", "-c", "umask 077; "+string(commandLine("root", "name", "create")))
	command.Env = append(os.Environ(), "HOME="+home, "http_proxy=http://192.0.2.1:3128", "HTTPS_PROXY=http://192.0.2.2:3128", "no_proxy=x",
		"DOCKER_HOST=unix:///var/run/docker.sock", "DOCKER_TLS_VERIFY=1", "BASH_ENV="+filepath.Join(home, "start"), "SHELLOPTS=posix:verbose", "CDPATH=/",
		"BASH_FUNC_grep%%=() { echo a function; }")
	command.Stdin = strings.NewReader(stdin)
	output, err := command.Output()
	want := "644\nproxies: 0\noutside: http://192.0.2.1:3128 http://192.0.2.2:3128\nDocker: \nhome: " + home + "\nfound\nserved\n"
	if err == nil || string(output) != want {
		t.Errorf("%v\n%s\nwant a failure after\n%s", err, output, want)
	}
}

// TestLoginLeadsToItsOwnEngine holds that no script runs where the docker provider, which logs in in the same way, would talk to another
// engine. The message says what to remove.
func TestLoginLeadsToItsOwnEngine(t *testing.T) {
	stdin := input(t, Script{Text: "echo reached\n"})
	for variable, refused := range map[string]bool{
		"DOCKER_HOST=tcp://192.0.2.7:2375": true, "DOCKER_HOST=unix:///run/user/1000/docker.sock": true, "DOCKER_CONTEXT=far": true,
		"DOCKER_HOST=": false, "DOCKER_HOST=unix:///var/run/docker.sock": false, "DOCKER_HOST=unix:///run/docker.sock": false,
		"DOCKER_CONTEXT=default": false, "OTHER=x": false,
	} {
		command := exec.Command("sh", "-c", string(commandLine("root", "name", "create")))
		command.Env = []string{"PATH=" + os.Getenv("PATH"), variable}
		command.Stdin = strings.NewReader(stdin)
		output, err := command.CombinedOutput()
		name, _, _ := strings.Cut(variable, "=")
		if said := string(output); refused != (err != nil) || refused != strings.Contains(said, "remove "+name) || refused == strings.Contains(said, "reached") {
			t.Errorf("%s: %v\n%s", variable, err, output)
		}
	}
}
