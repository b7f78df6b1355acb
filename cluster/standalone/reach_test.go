package standalone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/cluster/engine"
	"swarm-scale/test/script"
)

// TestUnreachedContainerIsReachedAgain holds what a node does about a container that does not reach another one: from the third time
// in a row on it mends the way, from the sixth on it restarts the engine, once. It does nothing about a container that does not run,
// and nothing about an address that nobody has.
func TestUnreachedContainerIsReachedAgain(t *testing.T) {
	consul, _ := fakeConsul(t, "192.168.33.21:2375")
	folder := t.TempDir()
	namespace := filepath.Join(folder, "1-5c420440d9")
	script.Fake(t, folder, map[string]string{
		"docker": `#!/bin/sh
case "$*" in
"ps --quiet"*) echo c1; echo listed >>` + folder + `/asked ;;
"inspect --format {{.Name}} {{.State.Pid}}"*c1) echo /worker01 77 5c420440d9aaaaaaaa ;;
"network inspect"*) printf '10.0.1.7/24 redis02\n10.0.1.8/24 redis03\n10.0.1.9/24 pg\n\n' ;;
"--host tcp://192.168.33.21:2375 inspect"*redis02) echo 10.0.1.7 02:42:0a:00:01:07 ;;
"--host tcp://192.168.33.21:2375 inspect"*redis03) echo ;;
esac
`,
		// The container has sent something to two members and to an address that nobody has any more. None of them answers.
		"nsenter": `#!/bin/sh
case "$*" in
*"ip -4 neighbor show") printf '10.0.1.7 dev eth0 lladdr 02:42:0a:00:01:07 REACHABLE\n10.0.1.8 dev eth0 FAILED\n10.0.1.99 dev eth0 FAILED\n' ;;
*" silent "*) shift 4; printf '%s\n' "$@"; echo "tried $*" >>` + folder + `/asked ;;
*"bridge fdb show"*) printf '02:42:0a:00:01:07 dst 192.168.33.20 self permanent\n02:42:0a:00:01:09 dst 192.168.33.22 self permanent\n' ;;
*) echo "$@" >>` + folder + `/asked ;;
esac
`,
		"service":   "#!/bin/sh\necho service \"$@\" >>" + folder + "/asked\n",
		"systemctl": "#!/bin/sh\necho service docker start >>" + folder + "/asked\n",
	})
	if err := os.WriteFile(namespace, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for rounds, want := range map[int]map[string]int{
		2: {"tried silent 10.0.1.7 10.0.1.8 10.0.1.99": 2, "listed": 1, "fdb": 0, "service docker start": 0},
		3: {
			"nsenter --net=" + namespace + " bridge fdb del 02:42:0a:00:01:07 dev vxlan0 dst 192.168.33.20 self":               1,
			"nsenter --net=" + namespace + " bridge fdb replace 02:42:0a:00:01:07 dev vxlan0 dst 192.168.33.21 self permanent": 1,
			"nsenter --net=" + namespace + " ip neighbor replace 10.0.1.7 lladdr 02:42:0a:00:01:07 dev vxlan0 nud permanent":   1,
			"02:42:0a:00:01:09": 0, "10.0.1.8 lladdr": 0, "service docker start": 0,
		},
		9: {"service docker start": 1},
	} {
		_ = os.Remove(filepath.Join(folder, "asked"))
		_ = os.Remove(filepath.Join(folder, "rejoined"))
		if err := os.WriteFile(filepath.Join(folder, "started"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		text := "set -euo pipefail\n" + ports() + engine.RestartFunctions + discoveryScript + reachScript +
			"for _ in $(seq $ROUNDS); do try_ways $CONSUL 192.168.33.200; done\n"
		output, err := script.Run(t, text, "", folder, "NAMESPACES="+folder, "REJOINED="+filepath.Join(folder, "rejoined"), "STARTED="+filepath.Join(folder, "started"), "CONSUL="+consul,
			"ROUNDS="+string(rune('0'+rounds)))
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		asked, _ := os.ReadFile(filepath.Join(folder, "asked"))
		for part, times := range want {
			if got := strings.Count(string(asked), strings.TrimPrefix(part, "nsenter ")); got != times {
				t.Errorf("after %d rounds: %q %d times, want %d, in\n%s%s", rounds, part, got, times, asked, output)
			}
		}
	}
}

// TestWaysOfAnUnhealthyContainerAreSetAnew holds that the way to a container that runs is led to its node although something answers there,
// and that no other one is touched.
func TestWaysOfAnUnhealthyContainerAreSetAnew(t *testing.T) {
	consul, _ := fakeConsul(t, "192.168.33.21:2375")
	folder := t.TempDir()
	namespace := filepath.Join(folder, "1-5c420440d9")
	script.Fake(t, folder, map[string]string{
		"docker": `#!/bin/sh
case "$*" in
"inspect --format {{.State.Pid}}"*worker01) echo 77 5c420440d9aaaaaaaa ;;
"network inspect"*) printf '10.0.1.7/24 pg\n10.0.1.8/24 redis03\n10.0.1.9/24 redis02\n\n' ;;
"--host tcp://192.168.33.21:2375 inspect"*pg) echo 10.0.1.7 02:42:0a:00:01:07 ;;
"--host tcp://192.168.33.21:2375 inspect"*redis02) echo 10.0.1.9 02:42:0a:00:01:09 ;;
esac
`,
		"nsenter": `#!/bin/sh
case "$*" in
*"ip -4 neighbor show") printf '10.0.1.7 dev eth0 lladdr 02:42:0a:00:01:07 REACHABLE\n10.0.1.8 dev eth0 FAILED\n' ;;
*"bridge fdb show"*) printf '02:42:0a:00:01:07 dst 192.168.33.20 self permanent\n02:42:0a:00:01:09 dst 192.168.33.20 self permanent\n' ;;
*) echo "$@" >>` + folder + `/asked ;;
esac
`,
	})
	if err := os.WriteFile(namespace, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := script.Run(t, "set -euo pipefail\n"+ports()+engine.RestartFunctions+discoveryScript+reachScript+"mend_all worker01 $CONSUL 192.168.33.200\n", "", folder, "NAMESPACES="+folder, "CONSUL="+consul)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	asked, _ := os.ReadFile(filepath.Join(folder, "asked"))
	want := "--net=" + namespace + " bridge fdb del 02:42:0a:00:01:07 dev vxlan0 dst 192.168.33.20 self\n" +
		"--net=" + namespace + " bridge fdb replace 02:42:0a:00:01:07 dev vxlan0 dst 192.168.33.21 self permanent\n" +
		"--net=" + namespace + " ip neighbor replace 10.0.1.7 lladdr 02:42:0a:00:01:07 dev vxlan0 nud permanent\n"
	if string(asked) != want {
		t.Errorf("it asks\n%s\nwant\n%s", asked, want)
	}
}

// TestRestartOfTheEngineOutlivesTheService holds that an engine is started again although the service, which asked for the restart, ends
// when the engine stops.
func TestRestartOfTheEngineOutlivesTheService(t *testing.T) {
	folder := t.TempDir()
	asked := filepath.Join(folder, "asked")
	script.Fake(t, folder, map[string]string{"service": "#!/bin/sh\necho \"$2\" >>" + asked + "\nsleep 0.3\n"})
	// As on a machine without systemd.
	text := "set -euo pipefail\n" + strings.ReplaceAll(engine.RestartFunctions+discoveryScript+reachScript, "/run/systemd/system", folder+"/no-systemd") + `
(rejoin "for a test"; sleep 60) &
trying=$!
until [ -e ` + asked + ` ]; do sleep 0.05; done
kill $trying
for _ in $(seq 100); do
	if grep -qx start ` + asked + `; then exit 0; fi
	sleep 0.1
done
exit 1
`
	output, err := script.Run(t, text, "", folder, "REJOINED="+filepath.Join(folder, "rejoined"))
	if err != nil {
		calls, _ := os.ReadFile(asked)
		t.Errorf("the engine is not started again (%v): %s\n%s", err, calls, output)
	}
}
