package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run has bash run a script as a node would, with these variables and a stand-in for docker, which is the text of a shell
// script.
func run(t *testing.T, script, docker string, variables ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the scripts need it", program)
		}
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte("#!/bin/bash\n"+docker), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("bash", "-c", script, "script", "create")
	command.Env = append(append(os.Environ(), variables...), "PATH="+folder+":"+os.Getenv("PATH"), "STATE="+folder)
	output, err := command.CombinedOutput()
	return string(output), err
}

// engine stands in for docker: worker01 is healthy when it is asked for the second time, pg never, results-app is not there.
const engine = `
case "$*" in
*"inspect --format {{with .State.Health}}{{.Status}}"*worker01) [ -e "$STATE/asked" ] && echo healthy || echo starting; touch "$STATE/asked" ;;
*"inspect --format {{with .State.Health}}{{.Status}}"*pg) echo unhealthy ;;
*"inspect --format {{.State.Status}} pg") echo restarting ;;
*"{{range .Log}}"*pg) echo "no response" ;;
*"logs --tail 3 pg") echo "FATAL: data directory has wrong ownership" ;;
*results-app*) echo "No such container: results-app" >&2; exit 1 ;;
esac
`

func TestCheck(t *testing.T) {
	status := http.StatusOK
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != VoteHost {
			t.Errorf("the load balancer is asked for %s", r.Host)
		}
		w.WriteHeader(status)
	}))
	defer balancer.Close()
	variables := []string{"BALANCER=" + balancer.Listener.Addr().String(), "VOTE_HOST=" + VoteHost}

	output, err := run(t, checkScript, engine, append(variables, "CONTAINERS=worker01=tcp://192.0.2.11:3375", "WAIT=20")...)
	if err != nil || !strings.Contains(output, "check: all 1 containers work") {
		t.Errorf("%v\n%s", err, output)
	}
	output, err = run(t, checkScript, engine, append(variables, "CONTAINERS=worker01=tcp://192.0.2.11:3375 pg=tcp://192.0.2.11:3375 results-app=tcp://192.0.2.11:3375", "WAIT=1")...)
	for _, want := range []string{
		"check: after 1 s pg is unhealthy, restarting\n", "its check says: no response\n", "its log ends:   FATAL: data directory has wrong ownership\n",
		"check: after 1 s results-app is missing, not to be found by tcp://192.0.2.11:3375\n",
	} {
		if err == nil || !strings.Contains(output, want) {
			t.Errorf("%v, without %q:\n%s", err, want, output)
		}
	}
	if strings.Contains(output, "worker01") {
		t.Errorf("a container that works is complained about:\n%s", output)
	}
	status = http.StatusServiceUnavailable
	output, err = run(t, checkScript, engine, append(variables, "CONTAINERS=worker01=tcp://192.0.2.11:3375", "WAIT=2")...)
	if err == nil || !strings.Contains(output, "the vote page answers 503") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestPassword holds that the password gets to psql whole, whatever is in it, and stands in no argument.
func TestPassword(t *testing.T) {
	const secret = `it's "quoted" \and $HOME`
	const docker = `
printf '%s\n' "$*" >>"$STATE/asked"
case "$*" in
*pg_isready*) [ -e "$STATE/up" ] || { touch "$STATE/up"; exit 1; } ;;
*psql*) cat; echo "given: $NEW_PASSWORD" >&2; cat "$STATE/asked" >&2 ;;
esac
`
	output, err := run(t, passwordScript, docker, "CONTAINER=pg", "PASSWORD="+secret)
	if err != nil || !strings.Contains(output, "given: "+secret+"\n") || !strings.Contains(output, "password: pg takes logins") {
		t.Errorf("%v\n%s", err, output)
	}
	if strings.Count(output, secret) != 1 || strings.Count(output, "pg_isready") != 2 {
		t.Errorf("the password is in an argument, or the database was not waited for:\n%s", output)
	}
}
