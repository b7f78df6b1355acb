package bench

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarm-scale/test/bench/load"
	"swarm-scale/test/redistest"
)

const (
	// acceptConnections is how many connections vote at full speed, like those of a load balancer with many voters.
	acceptConnections = 256
	// acceptRounds is how often the vote page and its limit are measured, in turn, so that other load on the machine slows both.
	acceptRounds = 4
)

// TestAccept measures how fast the vote page takes votes, with both settings of Redis's append-only file.
func TestAccept(t *testing.T) {
	parallelUnlessFull(t)
	for _, appendfsync := range []string{"always", "everysec"} {
		t.Run(appendfsync, func(t *testing.T) { measureAccept(t, appendfsync) })
	}
}

// steadyRate is the rate, in votes a second, at which a frontend's p99 is compared with a lone voter's.
const steadyRate = 5000

func measureAccept(t *testing.T, appendfsync string) {
	redis := redistest.Start(t, "--appendfsync", appendfsync)
	own, partner := redistest.Start(t, "--appendfsync", appendfsync), redistest.Start(t, "--appendfsync", appendfsync)
	frontend, copying := startFrontend(t, redis), startCopyingFrontend(t, own, partner)
	bare, bareAddress := startBare(t, captureAnswer(t, host(frontend)))
	voters, twice := gather(t, host(frontend), connections(acceptConnections)), gather(t, host(copying), connections(acceptConnections))
	limit := gather(t, bareAddress, connections(acceptConnections))
	empty := func() { // there is no worker
		for _, server := range []*redistest.Server{redis, own, partner} {
			server.Do(t, "DEL", "votes")
		}
	}

	var votes, copied, bares load.Report
	appCost, redisCost, bareCost, copyingCost := newCost(frontend), newCost(redis), newCost(bare), newCost(copying)
	for range acceptRounds {
		add(&bares, bareCost.of(t, func() load.Report { return fullSpeed(t, limit) }))
		add(&votes, appCost.of(t, func() load.Report {
			return redisCost.of(t, func() load.Report { return fullSpeed(t, voters) })
		}))
		add(&copied, copyingCost.of(t, func() load.Report { return fullSpeed(t, twice) }))
		empty()
	}
	t.Logf("processor time of an answer: web-vote-app %s, with two copies %s; redis %s; bare handler %s", appCost, copyingCost, redisCost, bareCost)
	what := "accepting a vote, appendfsync " + appendfsync
	report(t, figure{what + ", against a bare handler", votes.Rate() / bares.Rate(), atLeast(0.8), "",
		fmt.Sprintf("%.0f votes/s, bare %.0f answers/s", votes.Rate(), bares.Rate())})
	report(t, figure{what + ", two copies against one", copied.Rate() / votes.Rate(), atLeast(0.8), "", fmt.Sprintf("%.0f votes/s", copied.Rate())})
	report(t, figure{what + ", against 442 votes/s of 2016", votes.Rate() / 442, atLeast(20), "×", "the aim is 50×"})

	var medians []time.Duration
	for _, lane := range []struct {
		copies  string
		address string
		crowd   *load.Crowd
	}{{"one copy", host(frontend), voters}, {"two copies", host(copying), twice}} {
		alone, err := gather(t, lane.address, 1).Rate(t.Context(), 50, length(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		steady, err := lane.crowd.Rate(t.Context(), steadyRate, length(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		empty()
		medians = append(medians, alone.Quantile(50))
		report(t, figure{what + ", a lone voter, median, " + lane.copies, milliseconds(alone.Quantile(50)), target{}, "ms",
			fmt.Sprintf("50 votes/s on one connection, p99 %.1f ms", milliseconds(alone.Quantile(99)))})
		bound := target{}
		if appendfsync == "always" {
			bound = atMost(2)
		}
		report(t, figure{fmt.Sprintf("%s, p99 at %d votes/s against a lone voter's, %s", what, steadyRate, lane.copies),
			float64(steady.Quantile(99)) / float64(alone.Quantile(99)), bound, "×",
			fmt.Sprintf("%.0f votes/s, median %.1f ms, p99 %.1f ms", steady.Rate(), milliseconds(steady.Quantile(50)), milliseconds(steady.Quantile(99)))})
	}
	plain, err := limit.Rate(t.Context(), steadyRate, length(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	report(t, figure{fmt.Sprintf("a bare handler, p99 at %d answers/s in the same minutes", steadyRate), milliseconds(plain.Quantile(99)), target{}, "ms",
		fmt.Sprintf("neither Redis nor disk, median %.1f ms", milliseconds(plain.Quantile(50)))})
	report(t, figure{what + ", a lone voter, what the second copy adds to the median", milliseconds(medians[1] - medians[0]), atMost(1), "ms", ""})
}

// captureAnswer writes the vote page's answer to a vote, as sent over the wire, to a file and returns its path.
func captureAnswer(t *testing.T, address string) string {
	t.Helper()
	connection, err := load.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	var voter load.Voter
	if _, err := connection.Look(&voter); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", strings.NewReader("vote=a"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept-Encoding", "gzip") // so the transport does not unpack the answer
	request.Header.Set("Cookie", voter.Cookie())
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Set-Cookie") == "" {
		t.Fatalf("the vote was answered with %s and %v", response.Status, response.Header)
	}
	text, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answer")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// gather opens that many connections to the vote page at address, host:port, with four voters on each.
func gather(t *testing.T, address string, count int) *load.Crowd {
	t.Helper()
	crowd, err := load.Gather(t.Context(), address, count, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(crowd.Disperse)
	return crowd
}

// fullSpeed has the crowd vote at full speed for three seconds. No vote may be refused.
func fullSpeed(t *testing.T, crowd *load.Crowd) load.Report {
	t.Helper()
	report, err := crowd.FullSpeed(t.Context(), length(3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if report.Answers == 0 || report.Refused > 0 {
		t.Fatalf("%d votes were taken and %d refused, want some and none", report.Answers, report.Refused)
	}
	return report
}

// add adds a report's answers and time to the total.
func add(total *load.Report, report load.Report) {
	total.Answers += report.Answers
	total.Took += report.Took
}
