package chaos

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"swarm-scale/test/postgrestest"
)

var (
	eventsWanted = flag.Int("events", 10, "how many times something is killed or paused")
	seedWanted   = flag.Uint64("seed", 0, "repeats the events and votes of an earlier run; 0 makes a new one")
)

// While votes come in, the frontends, their Redis, the workers, the database and the results page are killed and paused by
// chance. At the end the tally is what the voters' books say.
func TestChaos(t *testing.T) {
	seed := *seedWanted
	if seed == 0 {
		seed = rand.Uint64N(1_000_000)
	}
	t.Logf("to repeat it: make chaos EVENTS=%d SEED=%d", *eventsWanted, seed)
	s := &system{postgres: postgrestest.Start(t)}
	for range 2 {
		s.addFrontend(t)
	}
	for range 2 {
		s.addWorker(t)
	}
	s.addResults(t)
	parts := s.parts()
	plan := newPlan(seed, *eventsWanted, len(parts))

	c := &crowd{frontends: s.frontends}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { c.vote(ctx, seed) })
	group.Go(func() { c.watch(ctx, t, s.results) })
	started := time.Now()
	carryOut(t, plan, parts)
	time.Sleep(time.Second)
	stop()
	group.Wait()
	took := time.Since(started)

	s.waitUntilDrained(t)
	counted := s.checkBooks(t, c.voters)
	for _, fault := range c.faults[:min(len(c.faults), 5)] {
		t.Error(fault)
	}
	if c.acknowledged < 10**eventsWanted {
		t.Errorf("%d votes were acknowledged in %s: that is no test", c.acknowledged, took)
	}
	s.checkLogs(t, c.voters)

	report := [][2]string{
		{"seed", fmt.Sprint(seed)},
		{"events", fmt.Sprintf("%d in %s", len(plan), took.Round(time.Second))},
		{"votes acknowledged", fmt.Sprint(c.acknowledged)},
		{"votes answered with an error, or not at all", fmt.Sprint(c.uncertain)},
		{"voters", fmt.Sprint(len(c.voters))},
		{"of them certain by their books", fmt.Sprint(c.certain())},
		{"voters counted", fmt.Sprintf("%d: %d and %d", counted.Total(), counted.A, counted.B)},
		{"longest time without an acknowledged vote", c.longestGap.Round(time.Millisecond).String()},
		{"slowest acknowledged vote", c.slowest.Round(time.Millisecond).String()},
	}
	printTable(t.Output(), "make chaos", "", report)
	printTable(t.Output(), "part", "killed, paused", eventsByPart(plan, parts))
}

// parts are all that can be killed and paused.
func (s *system) parts() []part {
	var all []part
	for _, server := range s.redis {
		all = append(all, part{"redis", func(testing.TB) { server.Kill() }, server.Restart, server.Pause, server.Resume})
	}
	for _, program := range s.programs() {
		signal := func(send func() error) func(testing.TB) {
			return func(t testing.TB) {
				t.Helper()
				if err := send(); err != nil {
					t.Fatal(err)
				}
			}
		}
		all = append(all, part{program.Name, func(testing.TB) { program.Kill() }, program.LaunchOnly,
			signal(func() error { return program.Pause() }), signal(func() error { return program.Resume() })})
	}
	return append(all, part{"postgres", s.postgres.KillAll, s.postgres.Restart, s.postgres.Pause, s.postgres.Resume})
}

// carryOut carries out the plan and returns when all parts are up again.
func carryOut(t *testing.T, plan []event, parts []part) {
	t.Helper()
	type step struct {
		at time.Duration
		do func(testing.TB)
	}
	var steps []step
	for _, e := range plan {
		begin, end := parts[e.part].pause, parts[e.part].resume
		if e.kill {
			begin, end = parts[e.part].kill, parts[e.part].restart
		}
		steps = append(steps, step{e.begins, begin}, step{e.ends, end})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	started := time.Now()
	for _, next := range steps {
		time.Sleep(time.Until(started.Add(next.at)))
		next.do(t)
	}
}

// checkLogs checks that no program has written a voter into its log.
func (s *system) checkLogs(t *testing.T, voters []*voter) {
	t.Helper()
	for _, program := range s.programs() {
		log := strings.ToLower(strings.ReplaceAll(program.Log.String(), "-", ""))
		for _, v := range voters {
			if strings.Contains(log, v.id.String()) {
				t.Errorf("the log of %s has the voter %s", program.Name, v.id)
				break
			}
		}
		for line := range strings.Lines(program.Log.String()) {
			if !strings.HasPrefix(line, `{"time":"`) {
				t.Errorf("%s logs a line that is not JSON: %s", program.Name, line)
				break
			}
		}
	}
}

// eventsByPart counts the events of each kind of part.
func eventsByPart(plan []event, parts []part) [][2]string {
	var names []string
	killed, paused := map[string]int{}, map[string]int{}
	for _, e := range plan {
		name := parts[e.part].name
		if e.kill {
			killed[name]++
		} else {
			paused[name]++
		}
	}
	var rows [][2]string
	for _, p := range parts {
		if !slices.Contains(names, p.name) {
			names = append(names, p.name)
			rows = append(rows, [2]string{p.name, fmt.Sprintf("%d, %d", killed[p.name], paused[p.name])})
		}
	}
	return rows
}

// printTable prints a table in Markdown.
func printTable(to io.Writer, left, right string, rows [][2]string) {
	fmt.Fprintf(to, "\n| %s | %s |\n|---|---|\n", left, right)
	for _, row := range rows {
		fmt.Fprintf(to, "| %s | %s |\n", row[0], row[1])
	}
}
