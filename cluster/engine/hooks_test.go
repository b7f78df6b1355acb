package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/test/script"
)

// runAtEndpoint runs a script with these variables and a fake docker. It returns the output and the fake's calls that change something.
// The fake answers inspect with answer and exits with status.
func runAtEndpoint(t *testing.T, text, answer, status string, variables ...string) (output, calls string, err error) {
	t.Helper()
	folder := t.TempDir()
	script.Fake(t, folder, map[string]string{"docker": `#!/bin/sh
case "$2 $1" in
"inspect "*) echo "$ANSWER"; exit "$STATUS" ;;
"ls network") ;;
*" inspect") echo frontend03 ;;
*) echo "$@" >>` + folder + `/calls ;;
esac
`})
	output, err = script.Run(t, text, "create", folder, append(variables, "ANSWER="+answer, "STATUS="+status,
		"ENDPOINT=tcp://192.168.33.11:3375", "LABEL=swarm-scale", "GRACE=30", "NODE_NAME=manager")...)
	done, _ := os.ReadFile(filepath.Join(folder, "calls")) // missing without a call
	return output, string(done), err
}

// TestLeftoversAreRemoved holds what makes way for a container or network that is about to be made, and what stays.
func TestLeftoversAreRemoved(t *testing.T) {
	const removed = "stop --time 30 redis03\nrm --force redis03\n"
	for name, test := range map[string]struct {
		kind, name, answer, status string
		calls                      string
		fails                      string // part of the output; empty: it succeeds
	}{
		"nothing is there":                {"container", "redis03", "Error: No such container: redis03", "1", "", ""},
		"no network is there":             {"network", "mynet", "Error response from daemon: network mynet not found", "1", "", ""},
		"a container of the stack":        {"container", "redis03", `{"swarm-scale":""}`, "0", removed, ""},
		"one with more labels":            {"container", "redis03", `{"com.docker.swarm.id":"x","swarm-scale":""}`, "0", removed, ""},
		"a container of somebody else":    {"container", "redis03", `{}`, "0", "", "frontend03 has a container named redis03 that is not this stack's"},
		"one without labels":              {"container", "redis03", `null`, "0", "", `docker rename redis03 NEW-NAME`},
		"one with a label like the stack": {"container", "redis03", `{"swarm-scale.command":"x","of":"swarm-scale"}`, "0", "", "is not this stack's"},
		"an unused overlay network":       {"network", "mynet", "overlay 0", "0", "network rm mynet\n", ""},
		"a network with containers":       {"network", "mynet", "overlay 2", "0", "", "there is a network named mynet"},
		"a bridge network":                {"network", "mynet", "bridge 0", "0", "", "there is a network named mynet"},
		"docker does not answer":          {"container", "redis03", "Cannot connect to the Docker daemon", "1", "", "does not say whether there is a container redis03: Cannot connect"},
	} {
		t.Run(name, func(t *testing.T) {
			output, calls, err := runAtEndpoint(t, leftoversScript, test.answer, test.status, "KIND="+test.kind, "NAME="+test.name)
			if calls != test.calls {
				t.Errorf("it calls %q, want %q", calls, test.calls)
			}
			if (err != nil) != (test.fails != "") || !strings.Contains(output, test.fails) {
				t.Errorf("%v: %s, want %q", err, output, test.fails)
			}
		})
	}
}

// TestPlaceOfAContainerIsFreed holds that a name has no endpoint left on an overlay network when a container of it is about to be made. Only the
// engine itself is asked, because a Swarm manager does not list endpoints without a container.
func TestPlaceOfAContainerIsFreed(t *testing.T) {
	for name, test := range map[string]struct{ container, places, want string }{
		"container gone, place left": {"Error: No such container: worker01", "worker01\nredis01\n", "disconnect --force mynet worker01\n"},
		"container and place":        {`{"swarm-scale":""}`, "worker01\n", "stop --time 30 worker01\nrm --force worker01\ndisconnect --force mynet worker01\n"},
		"places of others":           {"Error: No such container: worker01", "worker010\nredis01\n", ""},
		"somebody else's container":  {`{}`, "worker01\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			script.Fake(t, folder, map[string]string{"docker": `#!/bin/sh
case "$DOCKER_HOST $1 $2" in
"tcp://192.168.33.11:3375 container inspect") echo "$CONTAINER"; case $CONTAINER in Error*) exit 1 ;; esac ;;
"tcp://192.168.33.11:3375 inspect "*) echo worker01 ;;
"unix:///var/run/docker.sock network ls") echo mynet ;;
"unix:///var/run/docker.sock network inspect") printf '%s' "$PLACES" ;;
"unix:///var/run/docker.sock network disconnect") shift; echo "$@" >>` + folder + `/calls ;;
*) echo "$@" >>` + folder + `/calls ;;
esac
`})
			output, err := script.Run(t, leftoversScript, "create", folder, "KIND=container", "NAME=worker01", "CONTAINER="+test.container, "PLACES="+test.places,
				"ENDPOINT=tcp://192.168.33.11:3375", "LABEL=swarm-scale", "GRACE=30", "NODE_NAME=manager")
			calls, _ := os.ReadFile(filepath.Join(folder, "calls"))
			if string(calls) != test.want || (err != nil) != (test.want == "" && test.container == "{}") {
				t.Errorf("%v: it calls %q, want %q:\n%s", err, calls, test.want, output)
			}
		})
	}
}

// TestGoneWorkloadIsDeleted holds that a container or service that is gone gets a stand-in of its ID, and that one that is there gets none.
// The provider looks for a service by its name, too.
func TestGoneWorkloadIsDeleted(t *testing.T) {
	const service = "service create --detach --no-resolve-image --replicas 0 --label swarm-scale --name "
	for name, test := range map[string]struct{ kind, answer, status, placement, output, calls string }{
		"gone, placed by Swarm": {"container", "Error: No such container: 0abc", "1", "constraint:node==frontend01", "retry\n",
			"create --name 0abc --label swarm-scale --env constraint:node==frontend01 sha256:1 gone\n"},
		"gone, on an engine":       {"container", "Error: No such container: 0abc", "1", "", "retry\n", "create --name 0abc --label swarm-scale sha256:1 gone\n"},
		"there":                    {"container", "[]", "0", "", "", ""},
		"docker does not answer":   {"container", "Cannot connect to the Docker daemon", "1", "", "", ""},
		"a service that is gone":   {"service", "Error: no such service: 0abc", "1", "", "retry\n", service + "0abc gone\n" + service + "redis03 gone\n"},
		"a service that is there":  {"service", "[]", "0", "", "", ""},
		"a swarm without a leader": {"service", "Error response from daemon: rpc error: The swarm does not have a leader.", "1", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			output, calls, err := runAtEndpoint(t, goneScript, test.answer, test.status, "KIND="+test.kind, "ID=0abc", "NAME=redis03", "IMAGE=sha256:1", "PLACEMENT="+test.placement)
			if err != nil || output != test.output || calls != test.calls {
				t.Errorf("%v: prints %q and calls %q, want %q and %q", err, output, calls, test.output, test.calls)
			}
		})
	}
}

// TestGreetingsAreNoAnswer holds that a login shell may say something before a script does.
func TestGreetingsAreNoAnswer(t *testing.T) {
	for output, want := range map[string]bool{
		"retry\n": true, "Welcome!\nretry\n": true, "Welcome!\r\nretry": true, "": false, "Welcome!\n": false, "retry\nWelcome!\n": false, "do not retry\n": false,
	} {
		if got := saysRetry(output); got != want {
			t.Errorf("%q says retry: %v, want %v", output, got, want)
		}
	}
}

// TestContainersArePresent runs present.sh with a fake docker. One container has been removed, one has another ID by now, and two have been
// stopped.
func TestContainersArePresent(t *testing.T) {
	folder := t.TempDir()
	fake := "#!/bin/sh\nif [ \"$1\" = ps ]; then printf '%s\\n' '11aa running' '22bb exited' '33cc running' '44dd created' '55ee restarting'; else echo \"$@\" >>" + folder + "/calls; fi\n"
	script.Fake(t, folder, map[string]string{"docker": fake})
	output, err := script.Run(t, presentScript, "create", folder, "WORKLOADS=redis01 22bb\nfrontend01 2\npg 66ff\nhaproxy 33cc\nworker01 44dd\nresults-app 55ee")
	if got := strings.Join(missingNames("Welcome!\nnothing is missing here\n"+output), " "); err != nil || got != "frontend01 pg" {
		t.Errorf("%q is missing, and %v:\n%s", got, err, output)
	}
	if calls, _ := os.ReadFile(filepath.Join(folder, "calls")); string(calls) != "start 22bb\nstart 44dd\n" {
		t.Errorf("it calls %q", calls)
	}
}
