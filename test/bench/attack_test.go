package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	"swarm-scale/test/haproxytest"
	"swarm-scale/test/redistest"
)

const (
	// honestRate is how many honest voters come in a second. Each opens the page and votes, from an address of its own.
	honestRate = 20
	stuffing   = "stuffed votes"
	// attacker is the address of the one client that attacks.
	attacker = "127.66.6.6"
	// votesPerMinute is the setting votesPerAddress, and newVotersPerMinute the setting newVotersPerAddress, as they are by default.
	votesPerMinute, newVotersPerMinute = 1200, 600
)

// TestAttack measures what honest voters see while one client attacks the way in: with slow connections, with cleartext HTTP/2, and
// with votes of ever new voters. The attacks are bounded in number and time, and stay on this machine.
func TestAttack(t *testing.T) {
	var frontends []wayin.Frontend
	for i := range 2 {
		frontend := startFrontend(t, redistest.Start(t, "--appendfsync", "everysec"))
		frontends = append(frontends, haproxytest.Frontend(fmt.Sprintf("frontend%02d", i+1), frontend.URL))
	}
	balancer := haproxytest.Start(t, wayin.Options{Frontends: frontends, Names: []string{"votingapp.local"},
		Limits: wayin.Limits{ConnectionsPerAddress: 1000, VotesPerAddress: votesPerMinute, NewVotersPerAddress: newVotersPerMinute}})
	balancer.AwaitFrontends(t, len(frontends))

	alone := honestVoters(t, balancer)
	for _, attack := range []struct {
		name   string
		attack func(context.Context, *haproxytest.Balancer, *atomic.Int64) string
	}{
		{"slow connections", slowConnections},
		{"cleartext HTTP/2", cleartextHTTP2},
		{stuffing, stuffedVotes},
	} {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan string, 1)
		var counted atomic.Int64 // the attacker's votes
		go func() { ended <- attack.attack(ctx, balancer, &counted) }()
		time.Sleep(length(3 * time.Second)) // the attack is under way
		under := honestVoters(t, balancer)
		stop()
		remark := <-ended
		report(t, figure{"honest voters answered during " + attack.name + ", against alone", under.share() / alone.share(), atLeast(0.99), "",
			fmt.Sprintf("%s; the slowest of %d honest voters %.0f ms, alone %.0f ms", remark, under.voters, milliseconds(under.slowest()), milliseconds(alone.slowest()))})
		if attack.name == stuffing {
			// New voters are the scarcer kind. The bound is of a minute, and the attack is shorter.
			report(t, figure{"votes counted of " + stuffing + ", against the limit of new voters", float64(counted.Load()) / newVotersPerMinute, atMost(1.1), "", ""})
		}
		report(t, figure{"an honest voter's median during " + attack.name + ", against alone", under.median() / alone.median(), target{}, "×", ""})
	}
}

// honest is what honest voters saw.
type honest struct {
	voters   int
	answered []time.Duration // by those whose vote was acknowledged: the time of the page and of the vote
}

func (h honest) share() float64         { return float64(len(h.answered)) / float64(h.voters) }
func (h honest) slowest() time.Duration { return slices.Max(h.answered) }

func (h honest) median() float64 {
	slices.Sort(h.answered)
	return float64(h.answered[len(h.answered)/2])
}

// honestVoters has voters come for ten seconds, evenly, and waits for their answers.
func honestVoters(t *testing.T, balancer *haproxytest.Balancer) honest {
	t.Helper()
	var saw honest
	var mu sync.Mutex
	var group sync.WaitGroup
	saw.voters = max(int(length(10*time.Second).Seconds()*honestRate), 5)
	for i := range saw.voters {
		group.Go(func() {
			begun := time.Now()
			if err := visit(t.Context(), balancer, fmt.Sprintf("127.1.%d.%d", i/250, i%250+1)); err != nil {
				t.Logf("an honest voter: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			saw.answered = append(saw.answered, time.Since(begun))
		})
		time.Sleep(time.Second / honestRate)
	}
	group.Wait()
	if len(saw.answered) == 0 {
		t.Fatal("no honest voter was answered")
	}
	return saw
}

// visit opens the page from an address and votes.
func visit(ctx context.Context, balancer *haproxytest.Balancer, from string) error {
	client := clientFrom(from)
	defer client.CloseIdleConnections()
	status, cookie, err := ask(ctx, client, balancer, http.MethodGet, "")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("the page is answered with %d (%w)", status, err)
	}
	if status, _, err = ask(ctx, client, balancer, http.MethodPost, cookie); err != nil || status != http.StatusOK {
		return fmt.Errorf("the vote is answered with %d (%w)", status, err)
	}
	return nil
}

// clientFrom is a browser with this address of this machine.
func clientFrom(address string) *http.Client {
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DialContext: dialFrom(address)}}
}

func dialFrom(address string) func(context.Context, string, string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}).DialContext
}

// ask sends a request with a cookie, and a vote with a POST. It returns the status and the cookie of the answer.
func ask(ctx context.Context, client *http.Client, balancer *haproxytest.Balancer, method, cookie string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, balancer.URL+"/", strings.NewReader("vote=a"))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodGet {
		request.Body = nil
		request.ContentLength = 0
	}
	request.Host = "votingapp.local"
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, "", err
	}
	cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
	return response.StatusCode, cookie, nil
}

// slowConnections opens 3,000 connections, half of them in the middle of a vote, and opens those again that are closed.
func slowConnections(ctx context.Context, balancer *haproxytest.Balancer, _ *atomic.Int64) string {
	const attempts = 40_000
	count := connections(3000)
	var tried, held atomic.Int64
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			for ctx.Err() == nil && tried.Add(1) < attempts {
				connection, err := dialFrom(attacker)(ctx, "tcp", balancer.Address)
				if err != nil {
					time.Sleep(100 * time.Millisecond)
					continue
				}
				stop := context.AfterFunc(ctx, func() { connection.Close() })
				if i%2 == 0 {
					_, _ = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: votingapp.local\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nv")
				}
				begun := time.Now()
				_, _ = io.Copy(io.Discard, connection) // until it is closed
				if time.Since(begun) > time.Second {
					held.Add(1)
				}
				stop()
				connection.Close()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	group.Wait()
	return fmt.Sprintf("%d slow connections wanted, %d opened, %d held for a second or more", count, tried.Load(), held.Load())
}

// cleartextHTTP2 opens 205 connections of cleartext HTTP/2 with 100 slow votes each.
func cleartextHTTP2(ctx context.Context, balancer *haproxytest.Balancer, _ *atomic.Int64) string {
	const votesEach = 100
	count := connections(205)
	var tried, refused atomic.Int64
	var group sync.WaitGroup
	for range count {
		protocols := &http.Protocols{}
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{DialContext: dialFrom(attacker), Protocols: protocols}}
		for range votesEach {
			group.Go(func() {
				tried.Add(1)
				body, never := io.Pipe()
				defer never.Close()
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, balancer.URL+"/", body)
				if err != nil {
					return
				}
				request.Host, request.ContentLength = "votingapp.local", 6
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				response, err := client.Do(request)
				if err != nil {
					if ctx.Err() == nil {
						refused.Add(1)
					}
					return
				}
				response.Body.Close()
			})
		}
	}
	group.Wait()
	return fmt.Sprintf("%d slow votes over %d connections, %d refused at once", tried.Load(), count, refused.Load())
}

// stuffedVotes has 64 connections cast votes of new voters as fast as they can.
func stuffedVotes(ctx context.Context, balancer *haproxytest.Balancer, counted *atomic.Int64) string {
	const attempts = 200_000
	var tried, turnedAway atomic.Int64
	var group sync.WaitGroup
	for range connections(64) {
		group.Go(func() {
			client := clientFrom(attacker)
			defer client.CloseIdleConnections()
			for ctx.Err() == nil && tried.Add(1) < attempts {
				_, cookie, err := ask(ctx, client, balancer, http.MethodPost, "")
				if err != nil || cookie == "" {
					turnedAway.Add(1)
					continue
				}
				if status, _, err := ask(ctx, client, balancer, http.MethodPost, cookie); err == nil && status == http.StatusOK {
					counted.Add(1)
				}
			}
		})
	}
	begun := time.Now()
	group.Wait()
	return fmt.Sprintf("%d stuffed votes counted in %.0f s of %d tried, %d turned away", counted.Load(), time.Since(begun).Seconds(), tried.Load(), turnedAway.Load())
}
