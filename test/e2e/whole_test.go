package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"swarm-scale/app"
	"swarm-scale/lab"
	"swarm-scale/test/voters"
	"swarm-scale/topology"
)

// TestWholeSystem is the whole run, from a fresh lab to an empty one, in this order. `make e2e` starts it. go test's -run chooses steps:
// -run 'TestWholeSystem/(^1_|^4_)'. Most steps need the first one.
//
// E2E_REPORT is a document to write the summary into. E2E_KEEP leaves the lab up. E2E_LAB is the folder of a lab to run on, in place of
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
	s.lab = lab.New(lab.Options{Folder: folder, Counts: topology.Counts{topology.Frontend: 2, topology.Worker: 1}, Log: log})
	if lines := missing(t.Context(), s.lab); len(lines) > 0 {
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
	s.voters = voters.NewCrowd(voters.Options{
		Sites:     []voters.Site{{URL: "http://" + s.lab.Host("interlock").Address, Host: app.VoteHost}},
		Returning: 0.3,
	})
	s.open(t)

	s.step(t, "1 up from nothing", upFromNothing)
	s.step(t, "2 voting through haproxy", voting)
	s.step(t, "3 nothing changes", nothingChanges)
	s.step(t, "4 a changed program", changedProgram)
	s.step(t, "5 containers killed", containersKilled)
	s.step(t, "5 hosts stopped", hostsStopped)
	s.step(t, "6 hosts lost", hostsLost)
	s.step(t, "6 Consul's data lost", consulLost)
	s.step(t, "6 manager lost", managerLost)
	s.step(t, "5 all hosts at once", allHostsAtOnce)
	s.step(t, "7 more and fewer", moreAndFewer)
	s.step(t, "10 SSH under load", sshUnderLoad)
	s.step(t, "2 voting through interlock", interlock)
	s.step(t, "8 destroy, one host dead", destroyWithDeadHost)
	s.step(t, "9 mistakes", mistakes)
	s.step(t, "8 destroy", destroy)
	s.step(t, "11 deployments killed", deploymentsKilled)
	s.step(t, "12 queues side by side", queuesSideBySide)
	s.step(t, "by hand", byHand)

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
		if err := WriteInto(document, summary); err != nil {
			t.Error(err)
		}
	}
}
