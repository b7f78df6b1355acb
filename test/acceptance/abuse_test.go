package acceptance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/test/eventually"
)

// One voter who sends a hundred votes at once, for both options and through both frontends, counts once.
func TestVoterWithManyTabsCountsOnce(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	v := s.newVoter(t, s.frontends[0])
	cookie := v.Cookie()
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.frontends[i%2].URL,
				strings.NewReader("vote="+[]string{"a", "b"}[i/2%2]))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.AddCookie(cookie)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("answered with %d", response.StatusCode)
			}
		})
	}
	group.Wait()
	// The last vote decides.
	mustVote(t, v, s.frontends[1], poll.B)
	s.wantResults(t, 0, 1)
}

// While 10,000 connections are open, half of them in the middle of a request, other voters are answered in time.
func TestVotersAreAnsweredBesideTenThousandConnections(t *testing.T) {
	const connections, voters, others = 10_000, 20, 500 // others are the process's own files, at most
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < connections+others {
		t.Skipf("a process may open %d files here, and this test needs %d: raise the hard limit of ulimit -n", limit.Max, connections+others)
	}
	s := startWithoutWorker(t)
	frontend := s.frontends[0]
	address := strings.TrimPrefix(frontend.URL, "http://")
	open := make(chan net.Conn, connections)
	defer func() {
		close(open)
		for connection := range open {
			connection.Close()
		}
	}()
	var group sync.WaitGroup
	const dialers = 50
	for i := range dialers {
		group.Go(func() {
			for range connections / dialers {
				connection, err := net.DialTimeout("tcp", address, patience)
				if err != nil {
					t.Error(err)
					return
				}
				open <- connection
				request := "GET /healthz HTTP/1.1\r\nHost: votingapp.local\r\n\r\n"
				if i%2 == 0 {
					request = "POST / HTTP/1.1\r\nHost: votingapp.local\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
						"Content-Length: 6\r\n\r\nv"
				}
				if _, err := io.WriteString(connection, request); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	eventually.Succeeds(t, patience, "the frontend has accepted all connections", func() error {
		if got := metric(t, frontend, "process_open_fds"); got < connections {
			return fmt.Errorf("it has %v files open, want %d or more", got, connections)
		}
		return nil
	})
	slowest := time.Duration(0)
	for range voters {
		started := time.Now()
		v := s.newVoter(t, frontend)
		mustVote(t, v, frontend, poll.A)
		slowest = max(slowest, time.Since(started))
	}
	if slowest > 2*time.Second {
		t.Errorf("a voter waited %s for the page and the answer to a vote, want 2 s at most", slowest)
	}
	memory, err := frontend.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections: a voter's page and answer took at most %s, and the frontend at most %d MiB", connections,
		slowest.Round(time.Millisecond), memory>>20)
	const mostMemory = 400 << 20 // a small machine has 1 GiB, of which its Redis may take 512 MiB
	if memory > mostMemory {
		t.Errorf("the frontend took %d MiB, want at most %d", memory>>20, mostMemory>>20)
	}
}

// A vote that is sent only in part is not counted, and its connection is closed.
func TestIncompleteVoteIsNotCounted(t *testing.T) {
	t.Parallel()
	s := startWithoutWorker(t)
	v := s.newVoter(t, s.frontends[0])
	cookie := v.Cookie()
	var group sync.WaitGroup
	for _, body := range []string{"Content-Length: 6\r\n\r\nvote=", "Content-Length: 600\r\n\r\nvote=a",
		"Transfer-Encoding: chunked\r\n\r\n6\r\nvote=a\r\n"} {
		group.Go(func() {
			answer, err := sendRaw(strings.TrimPrefix(s.frontends[0].URL, "http://"), "POST / HTTP/1.1\r\nHost: votingapp.local\r\n"+
				"Cookie: "+cookie.Name+"="+cookie.Value+"\r\nContent-Type: application/x-www-form-urlencoded\r\n"+body)
			if err != nil || strings.Contains(answer, "200 OK") {
				t.Errorf("%q: answered with\n%s (%v)", body, answer, err)
			}
		})
	}
	group.Wait()
	if got := metric(t, s.frontends[0], "poll_votes_accepted_total"); got != 0 {
		t.Errorf("%v votes were accepted", got)
	}
	if got := s.redis[0].Do(t, "XLEN", "votes"); got != "0" {
		t.Errorf("%s entries are queued, want none", got)
	}
}

// sendRaw sends bytes and returns all that comes back until the server closes the connection.
func sendRaw(address, request string) (answer string, err error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return "", err
	}
	content, err := io.ReadAll(connection)
	return string(content), err
}
