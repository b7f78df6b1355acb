package bench

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"swarm-scale/poll"
	"swarm-scale/test/bench/load"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
	"swarm-scale/test/voters"
)

var million = flag.Int("million", 10_000, "how many votes TestMillion casts; `make million` casts 1000000")

const (
	// millionConnections is how many connections all voters share, like those of a load balancer.
	millionConnections = 256
	// millionFrontends is how many frontends there are, each with its Redis, as in the walk-through.
	millionFrontends = 2
)

// TestMillion has 700,000 voters cast a million votes through the whole poll. Three in ten votes are a voter's second, for
// either option. At the end, each voter must be stored with the choice in the voters' books, and the tally must be exact.
func TestMillion(t *testing.T) {
	parallelUnlessFull(t)
	s := startWhole(t)
	e := newElectorate(*million)
	bar := newBar(*million)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var largest atomic.Int64
	var watching errgroup.Group
	watching.Go(func() error { return s.watchBacklog(ctx, e, &largest, bar) })

	started := time.Now()
	if err := s.castAll(t.Context(), e, bar); err != nil {
		t.Fatal(err)
	}
	cast := time.Since(started)
	want, exact := e.books.Bounds().Exact()
	if !exact {
		t.Fatalf("all votes were acknowledged, and the books allow %s", e.books.Bounds())
	}
	if _, err := e.books.AwaitResults(t.Context(), s.results.URL, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	finished := time.Since(started)
	stop()
	if err := watching.Wait(); err != nil {
		t.Fatal(err)
	}
	_ = bar.Finish() // the bar is only for display

	stored, err := voters.ReadStored(t.Context(), s.postgres.Connect(t, databaseName(s.database)))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.books.Compare(stored); err != nil {
		t.Error(err)
	}
	memory := ""
	for _, program := range append(append([]*programtest.Program{}, s.frontends...), s.worker, s.results) {
		peak, err := program.PeakMemory()
		if err != nil {
			t.Fatal(err)
		}
		if memory != "" {
			memory += ", "
		}
		memory += fmt.Sprintf("%s %.0f MiB", program.Name, mebibytes(peak))
	}
	note := func(what, format string, arguments ...any) {
		millionTable = append(millionTable, []string{what, fmt.Sprintf(format, arguments...)})
		t.Log(what + ": " + fmt.Sprintf(format, arguments...))
	}
	votes, count := len(e.voters)+e.again, len(e.voters)
	note("votes", "%d by %d voters, %d of whom voted again", votes, count, e.again)
	note("tally", "%d and %d, exactly the voters' own books", want.A, want.B)
	note("time to cast them", "%.0f s: %.0f votes a second, with the pages asked for before %.0f requests a second",
		cast.Seconds(), float64(votes)/cast.Seconds(), float64(votes+count)/cast.Seconds())
	note("tally final", "%.1f s after the last vote", (finished - cast).Seconds())
	note("largest backlog", "%d votes", largest.Load())
	note("most memory", "%s", memory)
}

// whole is the whole poll on this machine, with as many parts as the walk-through has.
type whole struct {
	redis     []*redistest.Server
	frontends []*programtest.Program
	worker    *programtest.Program
	results   *programtest.Program
	postgres  *postgrestest.Server
	database  []string
}

func startWhole(t *testing.T) *whole {
	t.Helper()
	s := &whole{postgres: postgrestest.Shared(t)}
	s.database = databaseVariables(s.postgres, newDatabase(t, s.postgres))
	queues := ""
	for i := range millionFrontends {
		redis := redistest.Start(t)
		s.redis = append(s.redis, redis)
		s.frontends = append(s.frontends, startFrontend(t, redis))
		if i > 0 {
			queues += ","
		}
		queues += redis.Address
	}
	s.worker = programtest.Start(t, programtest.VoteWorker, append([]string{"WORKER_NUMBER=01", "REDIS_ADDRESSES=" + queues}, s.database...)...)
	s.results = programtest.Start(t, programtest.ResultsApp, s.database...)
	return s
}

// electorate is all voters and their books.
type electorate struct {
	books  voters.Books
	voters []millionth
	again  int // how many of them, from the first on, vote a second time

	answered atomic.Int64 // acknowledged votes
}

// millionth is one voter: a browser's cookie and the voter's record in the books.
type millionth struct {
	browser load.Voter
	record  *voters.Record
}

func newElectorate(votes int) *electorate {
	again := votes * 3 / 10
	e := &electorate{voters: make([]millionth, votes-again), again: again}
	for i := range e.voters {
		e.voters[i].record = e.books.Open()
	}
	return e
}

// castAll has every voter open the page and vote. Some vote again later, through either frontend.
func (s *whole) castAll(ctx context.Context, e *electorate, bar *progressbar.ProgressBar) error {
	group, ctx := errgroup.WithContext(ctx)
	for member := range millionConnections {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(member), 7))
			connections := make([]*load.Connection, millionFrontends)
			for i := range connections {
				connection, err := load.Dial(ctx, host(s.frontends[i]))
				if err != nil {
					return err
				}
				defer connection.Close()
				connections[i] = connection
			}
			vote := func(voter *millionth) error {
				choice := poll.Choices()[random.IntN(2)]
				voter.record.Sent(choice)
				status, err := connections[random.IntN(len(connections))].Vote(&voter.browser, choice)
				if err != nil {
					return err
				}
				if status != http.StatusOK {
					return fmt.Errorf("a vote was answered with %d, want 200", status)
				}
				voter.record.Acknowledged(choice)
				e.answered.Add(1)
				_ = bar.Add(1) // the bar is only for display
				return nil
			}
			var waiting []*millionth // who will vote again
			for i := member; i < len(e.voters) && ctx.Err() == nil; i += millionConnections {
				voter := &e.voters[i]
				status, err := connections[random.IntN(len(connections))].Look(&voter.browser)
				if err != nil {
					return err
				}
				if status != http.StatusOK {
					return fmt.Errorf("the vote page was answered with %d, want 200", status)
				}
				id, err := voters.ParseCookie(strings.TrimPrefix(voter.browser.Cookie(), "voter="))
				if err != nil {
					return err
				}
				if err := voter.record.Identify(id); err != nil {
					return err
				}
				if err := vote(voter); err != nil {
					return err
				}
				if i < e.again {
					waiting = append(waiting, voter)
				}
				// Voters change their minds while others vote for the first time.
				if len(waiting) > 0 && random.IntN(10) < 4 {
					i := random.IntN(len(waiting))
					if err := vote(waiting[i]); err != nil {
						return err
					}
					waiting[i] = waiting[len(waiting)-1]
					waiting = waiting[:len(waiting)-1]
				}
			}
			for _, voter := range waiting {
				if err := vote(voter); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// watchBacklog notes the largest number of votes that were acknowledged and not stored, until ctx is done.
func (s *whole) watchBacklog(ctx context.Context, e *electorate, largest *atomic.Int64, bar *progressbar.ProgressBar) error {
	for ctx.Err() == nil {
		answered := e.answered.Load()
		stored, err := s.stored()
		if err != nil {
			return err
		}
		backlog := max(0, answered-stored)
		largest.Store(max(largest.Load(), backlog))
		bar.Describe(fmt.Sprintf("votes (%7d waiting)", backlog))
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

// stored is how many votes of all queues are in the database, by the worker's metrics: stored, or not stored because a later one of the voter is.
func (s *whole) stored() (int64, error) {
	body, err := get(s.worker.Metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "poll_worker_votes_stored_total{") && !strings.HasPrefix(line, "poll_worker_votes_copies_total{") {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
		if err != nil {
			return 0, fmt.Errorf("the worker's metrics have the line %q: %w", line, err)
		}
		sum += value
	}
	return int64(sum), nil
}

func get(address string) ([]byte, error) {
	response, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// newBar is a progress bar on the terminal; without a terminal it shows nothing.
func newBar(votes int) *progressbar.ProgressBar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return progressbar.DefaultSilent(int64(votes))
	}
	return progressbar.NewOptions(votes, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("votes"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("votes"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionOnCompletion(func() {
			fmt.Fprintln(os.Stderr)
		}))
}
