// Package load is voters and viewers by the thousand, for measuring: they vote over connections that are kept open, as a
// load balancer does for them, at full speed or at a given rate. It costs the machine it runs on as little as it can,
// because the servers that are measured run beside it.
package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"swarm-scale/poll"
)

const (
	// answerTimeout is how long an answer may take before the connection counts as broken.
	answerTimeout = 15 * time.Second
	// readBuffer holds a whole answer: a compressed page is some 3 KB.
	readBuffer = 8 << 10
)

// What a browser sends beside the cookie. The page is asked for in gzip.
const (
	browserHeaders = "Host: votingapp.local\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
		"Accept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate\r\n" +
		"Connection: keep-alive\r\n"
	pageHead = "GET / HTTP/1.1\r\n" + browserHeaders
	voteHead = "POST / HTTP/1.1\r\n" + browserHeaders +
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n" +
		"Origin: http://votingapp.local\r\nReferer: http://votingapp.local/\r\nSec-Fetch-Site: same-origin\r\n"
	voteBody = "vote="
)

// Connection is one connection to a vote page. One goroutine uses it.
type Connection struct {
	address  string
	socket   net.Conn
	reader   *bufio.Reader
	request  []byte
	response fasthttp.Response
}

// Dial opens a connection to the vote page at address, host:port.
func Dial(ctx context.Context, address string) (*Connection, error) {
	c := &Connection{address: address}
	if err := c.dial(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Connection) dial(ctx context.Context) error {
	socket, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("connect to the vote page: %w", err)
	}
	c.socket = socket
	c.reader = bufio.NewReaderSize(socket, readBuffer)
	return nil
}

// Close closes the connection.
func (c *Connection) Close() { c.socket.Close() }

// Look asks for the page and gives the voter the cookie that comes with it. It returns the status of the answer.
func (c *Connection) Look(voter *Voter) (status int, err error) {
	return c.ask(pageHead, voter, poll.None)
}

// Vote votes and gives the voter the new cookie. It returns the status of the answer; 200 is a vote that is in.
func (c *Connection) Vote(voter *Voter, choice poll.Choice) (status int, err error) {
	return c.ask(voteHead, voter, choice)
}

// ask sends a request and reads the answer. After an error the connection is of no use any more.
func (c *Connection) ask(head string, voter *Voter, choice poll.Choice) (status int, err error) {
	c.request = append(c.request[:0], head...)
	if len(voter.cookie) > 0 {
		c.request = append(c.request, "Cookie: "...)
		c.request = append(c.request, voter.cookie...)
		c.request = append(c.request, "\r\n"...)
	}
	c.request = append(c.request, "\r\n"...)
	if choice != poll.None {
		c.request = append(append(c.request, voteBody...), byte(choice))
	}
	if _, err := c.socket.Write(c.request); err != nil {
		return 0, fmt.Errorf("ask the vote page: %w", err)
	}
	if err := c.response.Read(c.reader); err != nil {
		return 0, fmt.Errorf("read the vote page's answer: %w", err)
	}
	voter.take(c.response.Header.PeekCookie(cookieName))
	return c.response.StatusCode(), nil
}

// Body is the page of the latest answer as it came, compressed; it is valid until the next request.
func (c *Connection) Body() []byte { return c.response.Body() }

// cookieName is the voter's cookie.
const cookieName = "voter"

// Voter is a browser's memory: the cookie, as it is sent.
type Voter struct{ cookie []byte }

// take keeps the cookie of an answer, without its attributes.
func (v *Voter) take(setCookie []byte) {
	if len(setCookie) > 0 {
		pair, _, _ := bytes.Cut(setCookie, []byte(";"))
		v.cookie = append(v.cookie[:0], pair...)
	}
}

// Cookie is the voter's cookie as it is sent, "voter=...", for tests.
func (v *Voter) Cookie() string { return string(v.cookie) }
