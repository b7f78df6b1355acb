package wayin_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	"swarm-scale/test/haproxytest"
)

// standard are the limits of a stack whose settings say nothing.
var standard = wayin.Limits{ConnectionsPerAddress: 1000, VotesPerAddress: 1200, NewVotersPerAddress: 600}

// compose is the configuration of compose.yaml.
var compose = wayin.Options{Listen: ":80", Names: []string{"localhost"}, Limits: standard, Discovery: &wayin.Discovery{NameServer: "127.0.0.11:53", Address: "frontend:80", Most: 50}}

// TestHAProxyAcceptsEveryConfiguration has the real program check what the settings can make of the template.
func TestHAProxyAcceptsEveryConfiguration(t *testing.T) {
	program := haproxytest.Path(t)
	full := wayin.Options{Listen: ":80", Limits: standard, Statistics: &wayin.Statistics{Path: "/haproxy?stats", User: "stats", Password: "secret"}}
	for i := range 180 {
		full.Frontends = append(full.Frontends, wayin.Frontend{Name: fmt.Sprintf("frontend%02d", i+1), Address: fmt.Sprintf("192.168.33.%d:5000", i+20)})
	}
	one := full
	one.Frontends = full.Frontends[:1]
	ready := one
	ready.ReadyPath = "/load-balancer/ready"
	full.LogAddresses = true
	for i := range 100 {
		full.Names = append(full.Names, fmt.Sprintf("vote%d.example.org", i))
		full.Proxies = append(full.Proxies, netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", i)), netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::/48", i)))
	}
	for name, options := range map[string]wayin.Options{"one frontend": one, "asked from in front": ready, "all frontends": full, "compose": compose} {
		text := haproxytest.Configuration(t, options)
		if got := strings.Count(text, "\n\tserver frontend"); got != len(options.Frontends) {
			t.Errorf("%s: %d servers for %d frontends", name, got, len(options.Frontends))
		}
		file := filepath.Join(t.TempDir(), "haproxy.cfg")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(program, "-c", "-f", file).CombinedOutput(); err != nil || strings.Contains(string(output), "WARNING") {
			t.Errorf("%s: haproxy says %v:\n%s", name, err, output)
		}
	}
}

// fault is what a frontend does with a vote instead of answering it.
type fault func(net.Conn)

// frontend is a server that is ready and does that with every other request.
func frontend(t *testing.T, do fault) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				reader := bufio.NewReader(connection)
				for {
					request, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body)
					if request.URL.Path != "/readyz" {
						do(connection)
						return
					}
					fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// TestPagesOfTheLoadBalancerAreThePolls holds that each page which HAProxy makes itself has the poll's look, and says of a vote what
// is true: a vote that has reached a frontend may be counted.
func TestPagesOfTheLoadBalancerAreThePolls(t *testing.T) {
	const counted, uncounted = "may be counted or not", "was not counted"
	vote := "POST / HTTP/1.1\r\nHost: votingapp.local\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nvote=a"
	for name, test := range map[string]struct {
		fault   fault // nil: no frontend
		request string
		status  string
		says    string
		retry   bool
	}{
		"the frontend dies with the vote":     {func(net.Conn) {}, vote, "502", counted, true},
		"the frontend answers nonsense":       {func(c net.Conn) { fmt.Fprint(c, "nonsense\r\n\r\n") }, vote, "502", counted, true},
		"the frontend breaks off in its head": {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-") }, vote, "502", counted, true},
		"there is no frontend":                {nil, vote, "503", counted, true},
		"the statistics without a password":   {nil, "GET /haproxy HTTP/1.1\r\nHost: votingapp.local\r\n\r\n", "401", "password", false},
		"the body comes slowly":               {nil, "POST / HTTP/1.1\r\nHost: votingapp.local\r\nContent-Length: 6\r\n\r\nvote", "408", uncounted, false},
		"cleartext HTTP/2":                    {nil, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", uncounted, false},
		"a page of the cluster":               {nil, "GET /readyz HTTP/1.1\r\nHost: votingapp.local\r\n\r\n", "404", "no page at this address", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := wayin.Options{Limits: standard}
			if test.fault != nil {
				options.Frontends = []wayin.Frontend{haproxytest.Frontend("frontend01", frontend(t, test.fault))}
			}
			balancer := haproxytest.Start(t, options)
			balancer.AwaitFrontends(t, len(options.Frontends))
			checkPage(t, send(t, balancer, test.request), test.status, test.says, test.retry)
		})
	}
}

// TestVoteOfADeadFrontendIsNotCalledUncounted holds the page for a vote whose frontend took it and died, when no other frontend is
// left to answer.
func TestVoteOfADeadFrontendIsNotCalledUncounted(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{}, 10)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			taken <- struct{}{}
			server.Listener.Close() // no further attempt finds it
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				err = connection.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}))
	defer server.Close()
	balancer := haproxytest.Start(t, wayin.Options{Limits: standard, Frontends: []wayin.Frontend{haproxytest.Frontend("frontend01", server.URL)}})
	balancer.AwaitFrontends(t, 1)
	response := send(t, balancer, "POST / HTTP/1.1\r\nHost: votingapp.local\r\nContent-Length: 6\r\n\r\nvote=a")
	<-taken
	checkPage(t, response, strings.Fields(response)[1], "may be counted or not", true)
}

// checkPage checks an answer of HAProxy's own.
func checkPage(t *testing.T, response, status, says string, retry bool) {
	t.Helper()
	if !strings.HasPrefix(response, "HTTP/1.1 "+status) && !strings.HasPrefix(response, "HTTP/1.0 "+status) {
		t.Errorf("answered with %.60q, want %s", response, status)
	}
	for _, want := range []string{`class="kicker"`, `class="home"`, "<style>", says} {
		if !strings.Contains(response, want) {
			t.Errorf("the page lacks %q:\n%s", want, response)
		}
	}
	if says == "may be counted or not" && strings.Contains(response, "not counted it") {
		t.Errorf("the page says that a vote is not counted which may be:\n%s", response)
	}
	if got := strings.Contains(strings.ToLower(response), "\r\nretry-after: "); got != retry {
		t.Errorf("Retry-After is there: %v, want %v:\n%.400s", got, retry, response)
	}
}

// send sends a request and returns all that comes back until HAProxy closes the connection, or nothing comes for two seconds.
func send(t *testing.T, balancer *haproxytest.Balancer, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", balancer.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(timed{connection}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// timed is a connection on which nothing is awaited for longer than patience.
type timed struct{ net.Conn }

const patience = 40 * time.Second

func (c timed) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
