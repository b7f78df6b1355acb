package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarm-scale/lab"
	"swarm-scale/lab/names"
	"swarm-scale/settings"
	"swarm-scale/test/voters"
	"swarm-scale/topology"
)

// steps are the whole run, from a fresh lab to an empty one, in this order.
var steps = []struct {
	name string
	run  func(*step)
	only settings.Cluster // the kind of cluster that it is for; empty: both
}{
	{"1 up from nothing", upFromNothing, ""},
	{"2 voting through haproxy", voting, ""},
	{"3 nothing changes", nothingChanges, ""},
	{"4 a changed program", changedProgram, ""},
	{"4 two deployments at once", twoDeployments, ""},
	{"5 containers killed", containersKilled, ""},
	{"5 engines restarted", enginesRestarted, ""},
	{"5 hosts stopped", hostsStopped, ""},
	{"5 store cut off", storeCutOff, ""},
	{"5 frontend cut off", frontendCutOff, ""},
	{"5 certificates expired", certificatesExpired, settings.SwarmMode},
	{"6 hosts lost", hostsLost, ""},
	{"6 Consul's data lost", consulLost, settings.Standalone},
	{"6 manager lost", managerLost, ""},
	{"6 two managers lost", majorityLost, settings.SwarmMode},
	{"5 all hosts at once", allHostsAtOnce, ""},
	{"7 more and fewer", moreAndFewer, ""},
	{"10 SSH under load", sshUnderLoad, ""},
	{"2 voting through interlock", interlock, settings.Standalone},
	{"8 destroy, one host dead", destroyWithDeadHost, ""},
	{"9 mistakes", mistakes, ""},
	{"8 destroy", destroy, ""},
	{"11 first deployment killed", firstDeploymentKilled, ""},
	{"11 deployments killed", deploymentsKilled, ""},
	{"12 queues side by side", queuesSideBySide, ""},
	{"13 two copies, machines lost under load", twoCopies, ""},
	{"by hand", byHand, ""},
}

// TestWholeSystem is the whole run for each kind of cluster. `make e2e` starts it. go test's -run chooses kinds and steps:
// -run 'TestWholeSystem/swarm-mode/(^1_|^4_)'. Most steps need the first one.
//
// E2E_REPORT is a document to write the summaries into. E2E_KEEP leaves the lab up. E2E_LAB is the folder of a lab to run on, in place of
// a fresh one.
func TestWholeSystem(t *testing.T) {
	if os.Getenv("E2E") == "" {
		t.Skip("the whole system runs only on request: make e2e")
	}
	document := os.Getenv("E2E_REPORT")
	if document != "" {
		var err error
		if document, err = filepath.Abs(document); err != nil {
			t.Fatal(err)
		}
	}
	for _, cluster := range settings.Clusters() {
		t.Run(string(cluster), func(t *testing.T) { wholeSystem(t, cluster, document) })
	}
}

// wholeSystem is the run for one kind of cluster.
func wholeSystem(t *testing.T, cluster settings.Cluster, document string) {
	log, err := os.CreateTemp("", "e2e-*.log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	folder, keep := os.Getenv("E2E_LAB"), true
	if folder == "" {
		if folder, err = os.MkdirTemp("", "e2e-lab-"); err != nil {
			t.Fatal(err)
		}
		keep = os.Getenv("E2E_KEEP") != ""
	}
	s := &system{balancer: "haproxy", log: log}
	s.kind = kindOf(s, cluster)
	s.lab = lab.New(lab.Options{Folder: folder, Cluster: cluster, Counts: topology.Counts{topology.Frontend: 2, topology.Worker: 1}, Log: log})
	if lines := lacking(t.Context(), s.lab); len(lines) > 0 {
		for _, line := range lines {
			t.Log("missing: " + line)
		}
		_ = os.Remove(folder) // only if it is empty
		t.Skipf("%d parts are missing on this machine", len(lines))
	}
	t.Logf("the output of Pulumi and the lab goes to %s", log.Name())
	if !keep {
		t.Cleanup(func() {
			if err := s.lab.Down(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	s.source = copySource(t)
	t.Chdir(s.source)
	begun := time.Now()
	if err := s.lab.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d fresh hosts after %.0f s", len(s.lab.Hosts()), time.Since(begun).Seconds())
	if s.names, err = names.Serve("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.names.Close() })
	s.balancers(t, "interlock")
	s.voters = voters.NewCrowd(voters.Options{
		Sites:     []voters.Site{{URL: "http://" + settings.VoteHost}},
		Returning: 0.3,
		Resolver:  s.names.Resolver(),
	})
	s.open(t)

	for _, one := range steps {
		if one.only == "" || one.only == cluster {
			s.step(t, one.name, one.run)
		}
	}

	summary := s.report.Markdown() + fmt.Sprintf("\nThe whole run took %.0f minutes.\n", time.Since(begun).Minutes())
	if s.chain.Longest > 0 {
		summary += fmt.Sprintf("\n`pulumi up` took %.0f s. All its steps add up to %.0f s, and the longest chain of steps that depend on each "+
			"other to %.0f s:\n\n```\n", s.upTook.Seconds(), s.chain.Sum.Seconds(), s.chain.Longest.Seconds())
		for _, link := range s.chain.Steps {
			if link.Took >= 100*time.Millisecond {
				summary += fmt.Sprintf("%6.1f s  %s\n", link.Took.Seconds(), link.Name)
			}
		}
		summary += "```\n"
	}
	t.Log("\n" + summary)
	if document != "" {
		if err := WriteInto(document, string(cluster), summary); err != nil {
			t.Error(err)
		}
	}
}
