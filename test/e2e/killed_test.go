package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
)

// lineWatch calls a function with every line that is written to it.
type lineWatch struct {
	mutex sync.Mutex
	part  []byte // of a line that has not ended yet
	call  func(line string)
}

// Write implements io.Writer.
func (w *lineWatch) Write(text []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.part = append(w.part, text...)
	for {
		line, rest, found := bytes.Cut(w.part, []byte("\n"))
		if !found {
			return len(text), nil
		}
		w.part = rest
		if w.call != nil {
			w.call(string(line))
		}
	}
}

// watch sets the function to call with every line; nil: none.
func (w *lineWatch) watch(call func(line string)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.call = call
}

// unwatch ends watch, from within its function.
func (w *lineWatch) unwatch() { w.call = nil }

// killsWhileMaking is how many times the first `pulumi up` is killed.
const killsWhileMaking = 10

// stepsBetweenKills is after how many steps it is killed.
const stepsBetweenKills = 7

// killedWhileReplacing are lines of an `up` that replaces the network and all that is on it. At each of them, another one is killed. Of a
// container that was made at the second try, Pulumi says "creating failed".
var killedWhileReplacing = []string{
	"redis01 deleting original", "redis02 deleted original", "mynet deleting original", "mynet deleted original", "mynet creating replacement",
	"redis01 creating replacement", "pg creating replacement", "worker01 creating replacement", "frontend02 creating replacement",
	`results-app (created|\*\*creating)`,
}

// firstDeploymentKilled kills the first `pulumi up` ten times with SIGKILL, each time further. `pulumi cancel` and `up` have to repair each.
func firstDeploymentKilled(s *step) {
	defer s.patiently()()
	s.empty()
	s.voters.Forget()
	for range killsWhileMaking {
		steps := 0
		s.killedUp(func(line string) bool {
			if strings.Contains(line, " creating (") {
				steps++
			}
			return steps == stepsBetweenKills
		})
	}
	begun := time.Now()
	s.up()
	s.await("everything to run", wellTime, s.well)
	s.checked("`up` from nothing, killed %d times on the way, each time %d steps further, goes on where it stopped; all well %.0f s after the last `up` began",
		killsWhileMaking, stepsBetweenKills, time.Since(begun).Seconds())
	s.vote(60)
	s.unchanged()
}

// patiently gives a step more time than others have: twenty deployments take longer. It returns what ends that.
func (s *step) patiently() (end func()) { return s.longer(40 * time.Minute) }

// longer gives a step that much time. It returns what ends that.
func (s *step) longer(limit time.Duration) (end func()) {
	s.ctx, end = context.WithTimeout(s.Context(), limit)
	return end
}

// deploymentsKilled kills `pulumi up` ten times with SIGKILL while it replaces what is on the network. `pulumi cancel` and `up --refresh` have
// to repair each.
func deploymentsKilled(s *step) {
	defer s.patiently()()
	s.ready()
	campaign := s.crowd()
	for _, at := range killedWhileReplacing {
		pattern := regexp.MustCompile(`(Network|` + s.kind.facts().workload + `) ` + at + `\b`)
		if !s.killedUp(pattern.MatchString, optup.Replace([]string{s.urn("docker:index/network:Network", "mynet")})) {
			s.Errorf("no line of the deployment is %q", at)
		}
		begun := time.Now()
		s.up(optup.Refresh())
		s.await("the system to be well after a deployment killed at "+at, wellTime, s.well)
		s.Logf("killed at %q: all well %.0f s after the next `up` began", at, time.Since(begun).Seconds())
	}
	seen := campaign.Stop()
	s.checked("%d deployments killed while they replaced the network and all containers on it: the next `up --refresh` repairs each; voters meanwhile: %s",
		len(killedWhileReplacing), seen)
	s.settle()
	s.unchanged()
}

// killedUp runs `pulumi up`, kills it up to a second after the first line that is the one, and unlocks the stack. It returns false if no
// line was.
func (s *step) killedUp(isTheOne func(line string) bool, options ...optup.Option) bool {
	s.Helper()
	killed := make(chan error, 1)
	found := false
	s.lines.watch(func(line string) {
		if !found && isTheOne(line) {
			found = true
			pause := time.Duration(rand.IntN(1000)) * time.Millisecond
			s.Logf("killing Pulumi %s after: %s", pause, strings.TrimSpace(line))
			time.AfterFunc(pause, func() { killed <- s.pulumi.Kill() })
		}
	})
	_, err := s.pulumi.Up(s.ctx, options...)
	s.lines.watch(nil)
	if !found {
		s.Logf("it was not killed: %v", err)
		return false
	}
	if err := <-killed; err != nil {
		s.Logf("Pulumi had ended by then: %v", err)
	}
	s.must(s.pulumi.Cancel(s.ctx))
	return true
}
