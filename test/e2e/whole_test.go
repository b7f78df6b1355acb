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

// stage is a whole run on a lab of its own, from a fresh lab to an empty one.
type stage struct {
	name    string // CLUSTER of make e2e
	cluster settings.Cluster
	zones   int
	images  map[string]string // in place of the settings' defaults
	steps   []named
}

// named is a step with its name.
type named struct {
	name string
	run  func(*step)
}

// stages are the runs: one for each kind of cluster, and one for the production stack.
func stages() []stage {
	standalone, swarmMode := settings.Standalone, settings.SwarmMode
	var all []stage
	for _, cluster := range settings.Clusters() {
		one := stage{name: string(cluster), cluster: cluster, zones: 1}
		for _, candidate := range []struct {
			named
			only settings.Cluster // the kind of cluster that it is for; empty: both
		}{
			{named{"1 up from nothing", upFromNothing}, ""},
			{named{"2 voting through haproxy", voting}, ""},
			{named{"3 nothing changes", nothingChanges}, ""},
			{named{"4 a changed program", changedProgram}, ""},
			{named{"4 two deployments at once", twoDeployments}, ""},
			{named{"5 containers killed", containersKilled}, ""},
			{named{"5 engines restarted", enginesRestarted}, ""},
			{named{"5 hosts stopped", hostsStopped}, ""},
			{named{"5 store cut off", storeCutOff}, ""},
			{named{"5 frontend cut off", frontendCutOff}, ""},
			{named{"5 certificates expired", certificatesExpired}, swarmMode},
			{named{"6 hosts lost", hostsLost}, ""},
			{named{"6 Consul's data lost", consulLost}, standalone},
			{named{"6 manager lost", managerLost}, ""},
			{named{"6 two managers lost", majorityLost}, swarmMode},
			{named{"5 all hosts at once", allHostsAtOnce}, ""},
			{named{"7 more and fewer", moreAndFewer}, ""},
			{named{"10 SSH under load", sshUnderLoad}, ""},
			{named{"2 voting through interlock", interlock}, standalone},
			{named{"8 destroy, one host dead", destroyWithDeadHost}, ""},
			{named{"9 mistakes", mistakes}, ""},
			{named{"8 destroy", destroy}, ""},
			{named{"11 first deployment killed", firstDeploymentKilled}, ""},
			{named{"11 deployments killed", deploymentsKilled}, ""},
			{named{"12 queues side by side", queuesSideBySide}, ""},
			{named{"13 two copies, machines lost under load", twoCopies}, ""},
			{named{"14 three managers, each lost", threeManagersLost}, standalone},
			{named{"15 two stores, each lost", twoStores}, standalone},
			{named{"by hand", byHand}, ""},
		} {
			if candidate.only == "" || candidate.only == cluster {
				one.steps = append(one.steps, candidate.named)
			}
		}
		all = append(all, one)
	}
	return append(all, stage{
		name: "production", cluster: swarmMode, zones: 3, images: map[string]string{"postgresImage": databaseBase()},
		steps: []named{
			{"1 up, one of each", oneOfEach},
			{"2 grows on the running poll", growsToProduction},
			{"3 nothing changes", nothingChanges},
			{"4 each machine lost", eachMachineLost},
			{"5 each zone lost", eachZoneLost},
			{"6 each zone cut off", eachZoneCutOff},
			{"7 each process hung", eachProcessHung},
			{"8 a loss while another is made good", twoLosses},
			{"9 each machine replaced", eachMachineReplaced},
			{"10 destroy", destroy},
		},
	})
}

// TestWholeSystem is each of the stages. `make e2e` starts it. go test's -run chooses stages and steps:
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
	for _, one := range stages() {
		t.Run(one.name, func(t *testing.T) { wholeSystem(t, one, document) })
	}
}

// wholeSystem is one stage.
func wholeSystem(t *testing.T, stage stage, document string) {
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
	s := &system{balancer: "haproxy", zones: stage.zones, log: log}
	s.kind = kindOf(s, stage.cluster)
	s.lab = lab.New(lab.Options{
		Folder: folder, Cluster: stage.cluster, Counts: topology.Counts{topology.Frontend: 2, topology.Worker: 1}, Zones: stage.zones, Images: stage.images, Log: log,
	})
	if lines := append(lacking(t.Context(), s.lab), lackingPatroni(t.Context(), stage.images["postgresImage"])...); len(lines) > 0 {
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

	for _, one := range stage.steps {
		s.step(t, one.name, one.run)
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
		if err := WriteInto(document, stage.name, summary); err != nil {
			t.Error(err)
		}
	}
}
