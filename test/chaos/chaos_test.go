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
	"swarm-scale/test/programtest"
	"swarm-scale/test/voters"
)

var (
	eventsWanted = flag.Int("events", 10, "how many parts are killed or paused, one after another")
	seedWanted   = flag.Uint64("seed", 0, "seed of the random events and votes; 0 chooses another one each time")
)

// While votes come in, every part is killed and paused at random: frontends, Redis, workers, database, results page. Where each vote is in two
// Redis and two databases, these are killed with their disks. At the end, what is stored is what the voters' books allow.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("one copy", func(t *testing.T) { testChaos(t, 1) })
	t.Run("two copies", func(t *testing.T) { testChaos(t, 2) })
}

func testChaos(t *testing.T, copies int) {
	t.Parallel()
	seed := *seedWanted
	if seed == 0 {
		seed = rand.Uint64N(1_000_000)
	}
	t.Logf("to repeat it: make chaos EVENTS=%d SEED=%d", *eventsWanted, seed)
	s := &system{postgres: postgrestest.Start(t)}
	if copies == 1 {
		s.addFrontend(t)
		s.addFrontend(t)
	} else {
		s.addCopyingFrontends(t, 3)
		s.addStandby(t)
	}
	for range 2 {
		s.addWorker(t)
	}
	s.addResults(t)
	parts := s.parts(copies > 1)
	plan := newPlan(seed, *eventsWanted, len(parts))

	crowd := voters.NewCrowd(voters.Options{Sites: s.sites(), Returning: returning, Recent: recent,
		ShortestPatience: shortestPatience, LongestPatience: longestPatience, Seed: seed})
	books := crowd.Books()
	campaign := crowd.Start(t.Context(), browsers, rest)
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { watch(ctx, t, books, s.results) })
	started := time.Now()
	carryOut(t, plan, parts)
	time.Sleep(time.Second)
	seen := campaign.Stop()
	stop()
	watching.Wait()
	took := time.Since(started)

	s.waitUntilDrained(t)
	counted := s.checkBooks(t, books)
	for _, err := range seen.Unexpected[:min(len(seen.Unexpected), 5)] {
		t.Error(err)
	}
	votes := seen.Votes()
	if least := 10 * *eventsWanted; votes.Good < least {
		t.Errorf("%d votes were acknowledged in %s, want %d or more", votes.Good, took, least)
	}
	s.checkLogs(t, books)
	bounds, records := books.Bounds(), books.Records()
	certain := 0
	for _, record := range records {
		if record.Possible().Certain() {
			certain++
		}
	}

	if copies > 1 && (s.losses.count == 0 || s.failOvers == 0) && *eventsWanted >= 100 {
		t.Errorf("the disks of %d queues and %d databases were lost, want some of both", s.losses.count, s.failOvers)
	}
	report := [][2]string{
		{"copies of each vote", fmt.Sprint(copies)},
		{"seed", fmt.Sprint(seed)},
		{"events", fmt.Sprintf("%d in %s", len(plan), took.Round(time.Second))},
		{"disks of queues lost", fmt.Sprint(s.losses.count)},
		{"disks of databases lost", fmt.Sprint(s.failOvers)},
		{"votes acknowledged", fmt.Sprint(votes.Good)},
		{"votes answered with an error, or not at all", fmt.Sprint(votes.Bad)},
		{"voters", fmt.Sprint(len(records))},
		{"of them certain by their books", fmt.Sprint(certain)},
		{"tallies that the books allow", bounds.String()},
		{"voters counted", fmt.Sprintf("%d: %d and %d", counted.Total(), counted.A, counted.B)},
		{"longest time without an acknowledged vote", votes.Silence.Round(time.Millisecond).String()},
		{"slowest acknowledged vote", votes.Slowest.Round(time.Millisecond).String()},
	}
	printTable(t.Output(), "make chaos", "", report)
	printTable(t.Output(), "part", "killed, paused", eventsByPart(plan, parts))
}

const (
	// browsers is how many voters vote at once.
	browsers = 32
	// rest is how long a browser rests between two votes on average. It keeps the machine below its limit, so that the parts
	// that are up answer soon.
	rest = 30 * time.Millisecond
	// returning is the share of votes by somebody who has voted before, one of the latest so many voters. The others have
	// voted for the last time, so nothing hides that their vote is lost.
	returning, recent = 0.75, 4 * browsers
	// shortestPatience and longestPatience are how long a voter waits for an answer.
	shortestPatience, longestPatience = 500 * time.Millisecond, 6 * time.Second
)

// sites are the vote pages of all frontends.
func (s *system) sites() []voters.Site {
	var sites []voters.Site
	for _, frontend := range s.frontends {
		sites = append(sites, siteOf(frontend))
	}
	return sites
}

// watch reads the results until ctx is done. The number of voters never goes down, because a stored vote stays. It never
// exceeds the number of those who voted, because each counts once.
func watch(ctx context.Context, t testing.TB, books *voters.Books, results *programtest.Program) {
	var most int64
	for ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		shown, err := voters.ReadResults(context.WithoutCancel(ctx), results.URL)
		if err != nil || !shown.Live {
			continue // the results page or the database is down
		}
		total, voted := shown.Tally.Total(), books.Bounds().Total.Most
		if total < most || total > voted {
			t.Errorf("the results show %d voters, want %d to %d: those shown before to those who voted", total, most, voted)
		}
		most = max(most, total)
	}
}

// parts are all that can be killed and paused. With disks, a Redis is killed with its disk where nobody needs it, and the database fails over.
func (s *system) parts(disks bool) []part {
	var all []part
	for _, server := range s.redis {
		kill := func(testing.TB) { server.Kill() }
		if disks {
			kill = func(t testing.TB) { s.killWithDisk(t, server) }
		}
		all = append(all, part{"redis", kill, server.Restart, server.Pause, server.Resume})
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
	kill, restart := s.postgres.KillAll, s.postgres.Restart
	if disks {
		kill, restart = s.failOver, s.addStandby
	}
	return append(all, part{"postgres", kill, restart, func(t testing.TB) { s.postgres.Pause(t) }, func(t testing.TB) { s.postgres.Resume(t) }})
}

// carryOut carries out the plan. It returns when all parts are up again.
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

// checkLogs checks that the programs' logs are JSON and name no voter.
func (s *system) checkLogs(t *testing.T, books *voters.Books) {
	t.Helper()
	for _, program := range s.programs() {
		log := strings.ToLower(strings.ReplaceAll(program.Log.String(), "-", ""))
		for _, record := range books.Records() {
			if id := record.ID(); !id.IsZero() && strings.Contains(log, id.String()) {
				t.Errorf("the log of %s names the voter %s", program.Name, id)
				break
			}
		}
		for line := range strings.Lines(program.Log.String()) {
			if !strings.HasPrefix(line, `{"time":"`) {
				t.Errorf("the log of %s has a line that is not JSON: %s", program.Name, line)
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
