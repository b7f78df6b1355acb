package chaos

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"swarm-scale/poll"
	"swarm-scale/test/eventually"
	"swarm-scale/test/programtest"
	"swarm-scale/test/testprocess"
	"swarm-scale/test/voters"
)

// A frontend hangs before it has taken a vote. The voter gives up and votes differently through another frontend. When the
// first one resumes, the vote it has is older and must not count. Neither must one that the load balancer held for it.
func TestAbandonedVoteDoesNotOverrideLaterVote(t *testing.T) {
	t.Parallel()
	ways := map[string]func(testing.TB, *programtest.Program) *way{
		"directly": func(_ testing.TB, frontend *programtest.Program) *way {
			return &way{frontend.URL, func() error { return nil }}
		},
		"through the load balancer": startHAProxy,
	}
	for name, newWay := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testAbandonedVote(t, newWay)
		})
	}
}

// way is how voters reach a frontend.
type way struct {
	address string // base URL
	// dropped returns nil once nothing on the way holds an abandoned request.
	dropped func() error
}

func testAbandonedVote(t *testing.T, newWay func(testing.TB, *programtest.Program) *way) {
	s := newSystem(t)
	hanging, other := s.addFrontend(t), s.addFrontend(t)
	to := newWay(t, hanging)
	s.addResults(t)
	s.addWorker(t)
	var books voters.Books
	all := newVoters(t, &books, siteOf(hanging), 20)
	if err := hanging.Pause(); err != nil {
		t.Fatal(err)
	}
	for i, voter := range all {
		voter.Patience = 100 * time.Millisecond
		if answer := voter.Vote(t.Context(), voters.Site{URL: to.address}, poll.A); answer.Kind != voters.Unanswered {
			t.Fatalf("a frontend that hangs answered: %+v", answer)
		}
		if i%4 == 0 {
			continue // this voter does not vote again
		}
		voter.Patience = patience
		if err := voter.Vote(t.Context(), siteOf(other), poll.B).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually.Succeeds(t, patience, "abandoned requests are dropped", to.dropped)
	if err := hanging.Resume(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it takes the votes that came while it was paused
	last := newVoters(t, &books, siteOf(hanging), 1)[0]
	if err := last.Vote(t.Context(), siteOf(hanging), poll.A).Err(); err != nil {
		t.Fatal(err)
	}
	s.waitUntilDrained(t)
	s.checkBooks(t, &books)
}

// startHAProxy starts HAProxy with the cluster's configuration in front of one frontend.
func startHAProxy(t testing.TB, frontend *programtest.Program) *way {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed: on Debian, apt-get install haproxy")
	}
	text, err := template.ParseFiles("../../app/haproxy.cfg.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(strings.TrimPrefix(frontend.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	type server struct{ Name, Address string }
	var configuration strings.Builder
	if err := text.Execute(&configuration, map[string]any{"StatisticsPath": "/haproxy", "StatisticsUser": "stats",
		"StatisticsPassword": "not-a-secret", "Port": 80, "FrontendPort": port, "Frontends": []server{{"frontend01", host}}}); err != nil {
		t.Fatal(err)
	}
	address := programtest.FreeAddress(t)
	here := strings.Replace(configuration.String(), "bind :80\n", "bind "+address+"\n", 1)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &programtest.Log{}
	command := exec.Command("haproxy", "-db", "-f", file)
	command.Stdout, command.Stderr = log, log
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	eventually.Succeeds(t, patience, "the load balancer answers", func() error {
		status, body, err := ask(t, "http://"+address)
		if err == nil && status != http.StatusOK {
			err = errors.New(body + log.String())
		}
		return err
	})
	return &way{"http://" + address, func() error { return noSessions("http://stats:not-a-secret@" + address + "/haproxy;csv") }}
}

// noSessions returns nil if the load balancer, by its statistics, has no session with a frontend.
func noSessions(statistics string) error {
	response, err := http.Get(statistics)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines, err := csv.NewReader(response.Body).ReadAll()
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line[0] == "frontends" && line[1] == "BACKEND" { // pxname, svname, qcur, qmax, scur
			if line[2] != "0" || line[4] != "0" {
				return fmt.Errorf("it has %s sessions and %s requests in its queue", line[4], line[2])
			}
			return nil
		}
	}
	return fmt.Errorf("the statistics lack the backend frontends: %v", lines)
}
