package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/settings"
)

// run runs a script with bash, these variables and fakes of the cluster's functions. It returns the output, followed by the
// commands that were executed in workloads.
func run(t *testing.T, script string, variables ...string) (string, error) {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: the scripts need it", program)
		}
	}
	folder := t.TempDir()
	psql := "#!/bin/sh\ncat >&2\n"
	if err := os.WriteFile(filepath.Join(folder, "psql"), []byte(psql), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("bash", "-c", workloads+script, "script", "create")
	command.Env = append(append(os.Environ(), variables...), "STATE="+folder)
	output, err := command.CombinedOutput()
	executed, _ := os.ReadFile(filepath.Join(folder, "executed")) // missing if no command was executed
	return string(output) + string(executed), err
}

// workloads are fakes of the cluster's functions. worker01 is healthy from the second call on. pg never is. results-app is missing.
const workloads = `
workload_health() {
	case $1 in
	worker01) if [ -e "$STATE/asked" ]; then echo healthy; else echo starting; fi; touch "$STATE/asked" ;;
	pg) echo unhealthy ;;
	*) echo missing ;;
	esac
}
workload_state() { if [ "$1" = pg ]; then echo restarting; else echo missing; fi; }
workload_last_words() { echo "  $1's last words"; }
workload_stop() { echo "stopped $1"; }
workload_exec() {
	printf '%s\n' "$*" >>"$STATE/executed"
	case "$*" in
	*pg_isready*) [ -e "$STATE/up" ] || { touch "$STATE/up"; return 1; } ;;
	*psql*) shift; PATH="$STATE:$PATH" "$@" ;;
	"worker01 "*) echo "Error: No such container: worker01" >&2; return 1 ;;
	esac
}
`

func TestCheckNamesWhatDoesNotWork(t *testing.T) {
	status := http.StatusOK
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != settings.VoteHost {
			t.Errorf("the load balancer is asked for %s", r.Host)
		}
		w.WriteHeader(status)
	})
	one, other := httptest.NewServer(answer), httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	defer one.Close()
	defer other.Close()
	variables := []string{"BALANCERS=" + other.Listener.Addr().String() + " " + one.Listener.Addr().String(), "VOTE_HOST=" + settings.VoteHost}

	output, err := run(t, checkScript, append(variables, "WORKLOADS=worker01", "WAIT=20")...)
	if err != nil || !strings.Contains(output, "check: all 1 workloads work") {
		t.Errorf("%v\n%s", err, output)
	}
	output, err = run(t, checkScript, append(variables, "WORKLOADS=worker01 pg results-app", "WAIT=4")...)
	for _, want := range []string{
		"check: after 4 s pg is unhealthy and restarting\n  pg's last words\n", "check: after 4 s results-app is missing and missing\n",
	} {
		if err == nil || !strings.Contains(output, want) {
			t.Errorf("%v, without %q:\n%s", err, want, output)
		}
	}
	if strings.Contains(output, "worker01") {
		t.Errorf("a healthy workload is reported:\n%s", output)
	}
	status = http.StatusServiceUnavailable
	output, err = run(t, checkScript, append(variables, "WORKLOADS=worker01", "WAIT=2")...)
	if err == nil || !strings.Contains(output, "load balancer at "+one.Listener.Addr().String()+" the vote page answers 503") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestRolesAwaitTheDatabase holds that the roles are set once the database accepts logins.
func TestRolesAwaitTheDatabase(t *testing.T) {
	output, err := run(t, rolesScript, "DATABASE=pg", "POSTGRES_PASSWORD=one", "WORKER_PASSWORD=two", "RESULTS_PASSWORD=three", "ROLES="+rolesSQL)
	if err != nil || strings.Count(output, "pg_isready") != 2 || !strings.Contains(output, "ALTER ROLE postgres PASSWORD :'postgres_password';") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestRetirementTriesEveryWorker holds that the next worker drains the queue if one cannot, and that the queue stays if none can.
func TestRetirementTriesEveryWorker(t *testing.T) {
	output, err := run(t, retireScript, "FRONTEND=frontend03", "WORKERS=worker01 worker02", "QUEUE=redis03:6379")
	for _, want := range []string{"stopped frontend03", "retire: worker01 could not drain the queue of frontend03", "worker02 /vote-worker drain redis03:6379\n"} {
		if err != nil || !strings.Contains(output, want) {
			t.Errorf("%v, without %q:\n%s", err, want, output)
		}
	}
	output, err = run(t, retireScript, "FRONTEND=frontend03", "WORKERS=worker01", "QUEUE=redis03:6379")
	if err == nil || !strings.Contains(output, "so it is kept, with the votes in it") || !strings.Contains(output, "frontend03-retirement") {
		t.Errorf("%v\n%s", err, output)
	}
}
