package app

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// TestHAProxyAcceptsTheConfiguration has the real program check the configuration for one, two and 180 frontends.
func TestHAProxyAcceptsTheConfiguration(t *testing.T) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed: apt-get install haproxy, or make packages")
	}
	for _, count := range []int{1, 2, 180} {
		text := configuration(t, count)
		if got := strings.Count(text, "\n\tserver frontend"); got != count {
			t.Errorf("%d servers for %d frontends", got, count)
		}
		file := filepath.Join(t.TempDir(), "haproxy.cfg")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(program, "-c", "-f", file).CombinedOutput(); err != nil || strings.Contains(string(output), "WARNING") {
			t.Errorf("%d frontends: haproxy says %v:\n%s", count, err, output)
		}
	}
}

func configuration(t *testing.T, frontends int) string {
	t.Helper()
	var nodes []*infra.Node
	planned, err := topology.New(netip.MustParsePrefix("192.168.33.0/24"), topology.Counts{topology.Frontend: frontends})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range planned {
		if node.Role == topology.Frontend {
			nodes = append(nodes, &infra.Node{Node: node})
		}
	}
	text, err := haproxyConfiguration(nodes, "secret-of-the-test")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStatisticsPasswordFollowsFromTheVoterKey(t *testing.T) {
	one := statisticsPassword(settings.Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))
	other := statisticsPassword(settings.Secret("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="))
	if one == other || len(one) != 24 || one != statisticsPassword(settings.Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")) {
		t.Errorf("the passwords of two keys are %q and %q", one, other)
	}
}
