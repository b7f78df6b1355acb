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

func measureAccept(t *testing.T, appendfsync string) {
	redis := redistest.Start(t, "--appendfsync", appendfsync)
	frontend := startFrontend(t, redis)
	answer := captureAnswer(t, host(frontend))
	bare, bareAddress := startBare(t, answer)
	voters := gather(t, host(frontend), connections(acceptConnections))
	limit := gather(t, bareAddress, connections(acceptConnections))

	var votes, bares load.Report
	appCost, redisCost, bareCost := newCost(frontend), newCost(redis), newCost(bare)
	for range acceptRounds {
		add(&bares, bareCost.of(t, func() load.Report { return fullSpeed(t, limit) }))
		add(&votes, appCost.of(t, func() load.Report {
			return redisCost.of(t, func() load.Report { return fullSpeed(t, voters) })
		}))
		redis.Do(t, "DEL", "votes") // there is no worker
	}
	t.Logf("processor time of an answer: web-vote-app %s, redis %s; bare handler %s", appCost, redisCost, bareCost)
	half := votes.Rate() / 2
	calm, err := voters.Rate(t.Context(), half, length(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	calmBare, err := limit.Rate(t.Context(), half, length(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	redis.Do(t, "DEL", "votes")
	lone := gather(t, host(frontend), 1)
	alone, err := lone.Rate(t.Context(), 50, length(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}

	what := "accepting a vote, appendfsync " + appendfsync
	report(t, figure{what + ", against a bare handler", votes.Rate() / bares.Rate(), atLeast(0.6), "",
		fmt.Sprintf("%.0f votes/s, bare %.0f answers/s", votes.Rate(), bares.Rate())})
	report(t, figure{what + ", against 442 votes/s of 2016", votes.Rate() / 442, atLeast(20), "×", "the aim is 50×"})
	report(t, figure{what + ", p99 at half load", milliseconds(calm.Quantile(99)), atMost(10), "ms",
		fmt.Sprintf("%.0f votes/s, median %.1f ms; the bare handler's p99 at that rate %.1f ms", calm.Rate(), milliseconds(calm.Quantile(50)),
			milliseconds(calmBare.Quantile(99)))})
	report(t, figure{what + ", a lone voter, median", milliseconds(alone.Quantile(50)), target{}, "ms",
		fmt.Sprintf("50 votes/s on one connection, p99 %.1f ms", milliseconds(alone.Quantile(99)))})
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
