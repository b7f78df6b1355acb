package swarmmode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/test/script"
)

// fakeSwarm writes a fake docker. The managers among the nodes are in raft, except for those whose ID begins with x: they were lost with the
// majority. It answers docker info with the lines of the file state, the last one again and again, and docker node ls
// and inspect with the file nodes. asked returns its calls that change something.
func fakeSwarm(t *testing.T, nodes string, states ...string) (folder string, asked func() string) {
	t.Helper()
	folder = t.TempDir()
	raft := ""
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == "manager" && !strings.HasPrefix(fields[0], "x") {
			raft += fields[0] + "\n"
		}
	}
	script.Fake(t, folder, map[string]string{
		"raft": raft, "nodes": nodes, "states": strings.Join(states, "\n") + "\n",
		"sleep": "#!/bin/sh\nexec /bin/sleep 0.05\n",
		"docker": `#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
"node update "* | "node demote "*)
	if [ -e outdated ]; then
		rm outdated
		echo "Error response from daemon: rpc error: code = Unknown desc = update out of sequence" >&2
		exit 1
	fi ;;
esac
case "$*" in
"node rm --force "*)
	if grep -qx "$4" raft 2>/dev/null; then
		echo "node $4 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal" >&2
		exit 1
	fi
	echo "$*" >>asked ;;
"node demote "*)
	grep -qx "$3" raft || {
		echo "can't find manager in raft memberlist" >&2
		exit 1
	}
	sed -i "/^$3$/d" raft
	echo "$*" >>asked ;;
"service ls --quiet --filter label=swarm-scale") cut -d ' ' -f 1 services ;;
"node ls --quiet"*) cut -d ' ' -f 1 nodes ;;
"node inspect --format "* | "service inspect --format "*)
	if [ -e removed ]; then
		rm removed
		echo "Error response from daemon: $1 x9 not found" >&2
		exit 1
	fi
	cat "${1}s" ;;
"info --format {{.Swarm.Cluster.ID}}") echo swarm1 ;;
"info --format {{.Swarm.NodeAddr}}") echo 192.168.33.200 ;;
"info --format {{.Swarm.Error}}") echo "rpc error: timed out" ;;
"info --format "*)
	head -n 1 states
	[ "$(wc -l <states)" -eq 1 ] || sed -i 1d states ;;
"swarm join-token --quiet "*) echo "SWMTKN-$4" ;;
*) echo "$*" >>asked ;;
esac
`,
	})
	return folder, func() string {
		content, _ := os.ReadFile(filepath.Join(folder, "asked")) // missing without a call
		return string(content)
	}
}

// TestSwarmIsMadeOnce holds what makes a swarm, what goes on with the one that is there, and what is refused.
func TestSwarmIsMadeOnce(t *testing.T) {
	const made = "swarm init --advertise-addr 192.168.33.11 --listen-addr 192.168.33.11:2377 --data-path-addr 192.168.33.11 --data-path-port 4789 --default-addr-pool 10.77.4.0/22 --default-addr-pool-mask-length 24\n"
	for name, test := range map[string]struct {
		state string
		ours  bool // the stack made the node's swarm
		asked string
		says  string
	}{
		"a new machine":              {"inactive false", false, made, "swarm: swarm1\n"},
		"its manager":                {"active true", true, "", "swarm: swarm1\n"},
		"after it left":              {"inactive false", true, made, "swarm: swarm1\n"},
		"somebody else's swarm":      {"active true", false, "", "is in a swarm that is not this stack's: take it out of it (docker swarm leave)"},
		"somebody else's worker":     {"active false", false, "", "is in a swarm that is not this stack's"},
		"a swarm without a majority": {"pending true", true, "", "does not work (pending true)"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, asked := fakeSwarm(t, "", test.state)
			notes := filepath.Join(folder, "notes")
			if test.ours {
				script.Fake(t, folder, map[string]string{"notes-swarm": "swarm1\n"})
			}
			output, err := script.Run(t, ports()+swarmScript, "create", folder, "ADDRESS=192.168.33.11", "POOL=10.77.4.0/22", "NOTES="+notes)
			if failed := !strings.HasPrefix(test.says, "swarm: "); (err != nil) != failed || !strings.Contains(output, test.says) {
				t.Errorf("%v: %s\nwant %q", err, output, test.says)
			}
			if got := asked(); got != test.asked {
				t.Errorf("it asks %q, want %q", got, test.asked)
			}
		})
	}
	for output, want := range map[string]string{"Welcome!\nswarm: id\n": "id", "": "", "swarm: old\n  swarm: new one \nbye": "new one"} {
		if got := answer(output, "swarm: "); got != want {
			t.Errorf("of %q the answer is %q, want %q", output, got, want)
		}
	}
}

// TestDeadTwinsMakeWay holds which of the swarm's nodes are removed before a machine of their name joins, and when a node leaves.
func TestDeadTwinsMakeWay(t *testing.T) {
	for name, test := range map[string]struct{ nodes, action, asked string }{
		"nobody":                    {"m1 manager ready manager id-m\n", "create", ""},
		"a dead worker":             {"a1 frontend01 down worker id-old\nm1 manager ready manager id-m\n", "create", "node rm --force a1\n"},
		"a dead manager":            {"a1 frontend01 down manager id-old\n", "create", "node demote a1\nnode rm --force a1\n"},
		"one lost with a majority":  {"x1 frontend01 down manager id-old\n", "create", "node rm --force x1\n"},
		"two dead ones":             {"a1 frontend01 down worker id-old\na2 frontend01 down worker\n", "create", "node rm --force a1\nnode rm --force a2\n"},
		"the machine itself":        {"a1 frontend01 ready worker ssh-ed25519 AAAA\n", "create", ""},
		"it, while it is off":       {"a1 frontend01 down worker ssh-ed25519 AAAA\n", "create", ""},
		"it, with another identity": {"a1 frontend01 ready worker ssh-ed25519 BBBB\n", "create", ""},
		"it, not yet noted":         {"a1 frontend01 ready worker \n", "create", ""},
		"others of longer names":    {"a1 frontend010 down worker id\na2 old-frontend01 down worker id\n", "create", ""},
		"the node leaves":           {"a1 frontend01 down worker ssh-ed25519 AAAA\na2 frontend02 ready worker id\n", "delete", "node rm --force a1\nservice rm s1\nservice rm s2\n"},
		"the node leaves, alive":    {"a1 frontend01 ready worker ssh-ed25519 AAAA\n", "delete", "node rm --force a1\nservice rm s1\nservice rm s2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, asked := fakeSwarm(t, test.nodes)
			script.Fake(t, folder, map[string]string{"services": "s1 frontend01 [node.hostname==frontend01]\ns2 redis01 [node.hostname==frontend01]\ns3 frontend010 [node.hostname==frontend010]\n"})
			output, err := script.Run(t, nodesScript+wayScript, test.action, folder, "NAME=frontend01", "MACHINE=ssh-ed25519 AAAA", "ROLE=manager", "LABEL=swarm-scale", "WAIT=1")
			if got := asked(); err != nil || got != test.asked {
				t.Errorf("%v: it asks %q, want %q\n%s", err, got, test.asked, output)
			}
			if token := strings.HasSuffix(output, "token: SWMTKN-manager 192.168.33.200\n"); token != (test.action == "create") {
				t.Errorf("its output ends with the token: %v\n%s", token, output)
			}
		})
	}
}

// TestListsAreAskedForAgain holds that a node or a service which is removed while they are listed, for another node, does no harm.
func TestListsAreAskedForAgain(t *testing.T) {
	for _, kind := range []string{"node", "service"} {
		folder, _ := fakeSwarm(t, "m1 manager ready manager id-m\n")
		script.Fake(t, folder, map[string]string{"removed": "", "services": "m1 manager ready manager id-m\n"})
		output, err := script.Run(t, "set -o pipefail\n"+nodesScript+"list "+kind+" line --filter label=swarm-scale", "create", folder)
		if err != nil || !strings.HasSuffix(output, "m1 manager ready manager id-m\n") {
			t.Errorf("%s: %v: %s", kind, err, output)
		}
	}
}

// TestNodesJoinOnce holds who joins, that no command line has the token, and what is told otherwise.
func TestNodesJoinOnce(t *testing.T) {
	for name, test := range map[string]struct {
		states []string
		known  string // the swarm that the stack had it join; empty: none
		answer string // the engine's to the request
		joins  bool
		asked  string
		says   string
	}{
		"a new machine":         {[]string{"inactive", "pending", "active"}, "", "\n200", true, "", "join: frontend01 is in the swarm"},
		"a slow one":            {[]string{"inactive", "active"}, "", `{"message":"Timeout was reached before node joined. The attempt to join the swarm will continue in the background."}` + "\n503", true, "", "is in the swarm"},
		"a member":              {[]string{"active"}, "swarm1", "", false, "", "is in the swarm"},
		"one that was off":      {[]string{"pending", "pending", "active"}, "swarm1", "", false, "", "is in the swarm"},
		"one of a former swarm": {[]string{"error", "active"}, "swarm0", "\n200", true, "swarm leave --force\n", "is in the swarm"},
		"expired certificates":  {[]string{"error", "active"}, "swarm1", "\n200", true, "swarm leave --force\n", "is in the swarm"},
		"somebody else's":       {[]string{"active"}, "", "", false, "", "is in a swarm that is not this stack's"},
		"a wrong token":         {[]string{"inactive"}, "", `{"message":"invalid join token"}` + "\n400", true, "", `cannot join the swarm of 192.168.33.11: {"message":"invalid join token"}`},
	} {
		t.Run(name, func(t *testing.T) {
			folder, asked := fakeSwarm(t, "", test.states...)
			script.Fake(t, folder, map[string]string{
				"answer": test.answer,
				"curl":   "#!/bin/sh\ncat >" + folder + "/body\necho \"$*\" >" + folder + "/line\nprintf %s \"$(cat " + folder + "/answer)\"\n",
			})
			if test.known != "" {
				script.Fake(t, folder, map[string]string{"notes-swarm": test.known + "\n"})
			}
			output, err := script.Run(t, ports()+joinScript, "create", folder, "NODE_NAME=frontend01", "ADDRESS=192.168.33.20",
				"SWARM=swarm1", "TOKEN=SWMTKN-hush 192.168.33.11", "NOTES="+filepath.Join(folder, "notes"))
			if failed := !strings.Contains(test.says, "is in the swarm") || strings.Contains(test.says, "not this stack's"); (err != nil) != failed || !strings.Contains(output, test.says) || strings.Contains(output, "hush") {
				t.Errorf("%v: %s\nwant %q", err, output, test.says)
			}
			body, _ := os.ReadFile(filepath.Join(folder, "body"))
			line, _ := os.ReadFile(filepath.Join(folder, "line"))
			want := ""
			if test.joins {
				want = `{"ListenAddr":"192.168.33.20:2377","AdvertiseAddr":"192.168.33.20","DataPathAddr":"192.168.33.20","RemoteAddrs":["192.168.33.11:2377"],"JoinToken":"SWMTKN-hush"}`
			}
			if string(body) != want || strings.Contains(string(line), "hush") {
				t.Errorf("it sends %s by %s, want %s", body, line, want)
			}
			if got := asked(); got != test.asked {
				t.Errorf("it asks %q, want %q", got, test.asked)
			}
		})
	}
}

// TestMembersHaveTheirRoles holds that the members are awaited, that each gets its role, and that its machine is noted.
func TestMembersHaveTheirRoles(t *testing.T) {
	const machines = "manager ssh-ed25519 M\nfrontend01 ssh-ed25519 F"
	for name, test := range map[string]struct{ nodes, asked, says string }{
		"as they shall be":   {"m1 manager ready manager ssh-ed25519 M\nf1 frontend01 ready worker ssh-ed25519 F\n", "", "members: all ready: manager frontend01"},
		"new":                {"m1 manager ready manager \nf1 frontend01 ready worker \n", "node update --label-add swarm-scale.machine=ssh-ed25519 M m1\nnode update --label-add swarm-scale.machine=ssh-ed25519 F f1\n", "all ready"},
		"with the wrong one": {"m1 manager ready worker ssh-ed25519 M\nf1 frontend01 ready manager ssh-ed25519 F\n", "node update --role manager m1\nnode update --role worker f1\n", "frontend01 is a worker now"},
		"with the wrong two": {"f1 frontend01 ready manager ssh-ed25519 F\nm1 manager ready worker ssh-ed25519 M\n", "node update --role manager m1\nnode update --role worker f1\n", "frontend01 is a worker now"},
		"with a dead twin":   {"m1 manager ready manager ssh-ed25519 M\nf0 frontend01 down worker x\nf1 frontend01 ready worker ssh-ed25519 F\n", "", "all ready"},
		"one is missing":     {"m1 manager ready manager ssh-ed25519 M\nf1 frontend01 down worker ssh-ed25519 F\n", "", "after 1 s the swarm does not report ready: frontend01"},
		"no swarm":           {"", "", "does not report ready: manager frontend01"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, asked := fakeSwarm(t, test.nodes)
			output, err := script.Run(t, nodesScript+membersScript, "create", folder, "MEMBERS=manager frontend01", "MANAGERS=manager", "WAIT=1", "MACHINES="+machines)
			if (err != nil) != strings.Contains(test.says, "does not report") || !strings.Contains(output, test.says) {
				t.Errorf("%v: %s\nwant %q", err, output, test.says)
			}
			if got := asked(); got != test.asked {
				t.Errorf("it asks %q, want %q", got, test.asked)
			}
		})
	}
}

// TestOldestManagerIsAsked holds which of several managers makes changes.
func TestOldestManagerIsAsked(t *testing.T) {
	for answers, want := range map[string]int{
		"2026-02-08T12:00:00.5Z,2026-02-08T12:00:01Z,2026-02-08T12:00:01Z": 0,
		"2026-02-09T12:00:00Z,2026-02-08T12:00:01Z,2026-02-08T12:00:02Z":   1,
		",,2026-02-08T12:00:02Z": 2,
		"Welcome!\n2026-02-09T12:00:00Z\n,Welcome!\n2026-02-08T12:00:01.000000001Z\n,": 1,
		",,": 0, "2026,,": 0,
	} {
		if got := oldest(strings.Split(answers, ",")); got != want {
			t.Errorf("of %q it is %d, want %d", answers, got, want)
		}
	}
}

// TestEngineThatHasGivenUpIsFound holds which of the nodes that a swarm lists as down join anew, and that a dead manager goes before.
func TestEngineThatHasGivenUpIsFound(t *testing.T) {
	for state, want := range map[string]string{
		"error Swarm certificates have expired.": "given up: error Swarm certificates have expired.\n",
		"inactive":                               "given up: inactive\n",
		"pending rpc error: timed out":           "",
		"active":                                 "",
	} {
		folder, _ := fakeSwarm(t, "", state)
		if output, err := script.Run(t, givenUpScript, "create", folder); err != nil || output != want {
			t.Errorf("%s: %v, %q, want %q", state, err, output, want)
		}
	}
	folder, asked := fakeSwarm(t, "m1 manager ready manager id\nf1 frontend01 down worker ssh-ed25519 AAAA\nw1 worker01 down manager id\n", "")
	if output, err := script.Run(t, nodesScript+downScript, "create", folder); err != nil || output != "down: frontend01 f1\ndown: worker01 w1\n" {
		t.Errorf("%v: down are %q", err, output)
	}
	if output, err := script.Run(t, nodesScript+dropScript, "create", folder, "ID=w1", "ROLE=manager"); err != nil || output != "token: SWMTKN-manager 192.168.33.200\n" || asked() != "node demote w1\nnode rm --force w1\n" {
		t.Errorf("%v: %q, and asked %q", err, output, asked())
	}
}

// TestNodeThatTheSwarmChangesIsUpdatedAgain holds that a change is tried again if the swarm has changed the node meanwhile, and that another
// refusal is told at once.
func TestNodeThatTheSwarmChangesIsUpdatedAgain(t *testing.T) {
	const nodes = "m1 manager ready manager id\nf1 frontend01 ready worker \n"
	folder, asked := fakeSwarm(t, nodes)
	script.Fake(t, folder, map[string]string{"outdated": ""})
	output, err := script.Run(t, nodesScript+membersScript, "create", folder, "MEMBERS=manager frontend01", "MANAGERS=manager", "WAIT=1", "MACHINES=manager id\nfrontend01 id-f")
	if got := asked(); err != nil || got != "node update --label-add swarm-scale.machine=id-f f1\n" {
		t.Errorf("%v: it asks %q\n%s", err, got, output)
	}
	folder, asked = fakeSwarm(t, nodes)
	script.Fake(t, folder, map[string]string{"outdated": ""})
	output, err = script.Run(t, nodesScript+"drop m1", "create", folder)
	if got := asked(); err != nil || got != "node demote m1\nnode rm --force m1\n" {
		t.Errorf("%v: it asks %q\n%s", err, got, output)
	}
	folder, _ = fakeSwarm(t, nodes)
	script.Fake(t, folder, map[string]string{"docker": "#!/bin/sh\necho called >>\"$(dirname \"$0\")/calls\"\necho no such node >&2\nexit 1\n"})
	output, err = script.Run(t, nodesScript+"in_sequence docker node update --role manager f1", "create", folder)
	if calls, _ := os.ReadFile(filepath.Join(folder, "calls")); err == nil || !strings.Contains(output, "no such node") || string(calls) != "called\n" {
		t.Errorf("%v: %q calls\n%s", err, calls, output)
	}
}

// TestLastWordsAreOfAContainerThatSpeaks holds that the words are those of the latest container that ended and said something, or of the one that
// runs. One that was removed meanwhile says nothing.
func TestLastWordsAreOfAContainerThatSpeaks(t *testing.T) {
	for ended, want := range map[string]string{
		"new\nold\nolder": "  its engine says: address already in use\n", "gone\nold": "  its engine says: address already in use\n", "new": "  its log ends:   I run\n", "": "  its log ends:   I run\n",
	} {
		folder := t.TempDir()
		script.Fake(t, folder, map[string]string{"ended": ended, "docker": `#!/bin/sh
cd "$(dirname "$0")"
shift 2
case "$*" in
"ps "*"status=exited"*) cat ended ;;
"ps "*) echo running ;;
"inspect --format {{.State.Error}} old") echo "address already in use" ;;
"logs --tail 3 running") echo "I run" ;;
"logs --tail 3 gone")
	echo "Error response from daemon: No such container: gone" >&2
	exit 1 ;;
esac
`})
		output, err := script.Run(t, onNodeFunctions+lastWordsScript, "create", folder, "WORKLOAD=frontend01")
		if err != nil || output != want {
			t.Errorf("%q: %v: %q, want %q", ended, err, output, want)
		}
	}
}
