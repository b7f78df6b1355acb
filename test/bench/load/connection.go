// Package load is thousands of voters and viewers, for measurements. They vote over connections that stay open, like those of
// a load balancer, at full speed or at a given rate. The package takes little processor time, because the servers that are
// measured run on the same machine. Voters who keep books are in package voters.
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
	// connectTimeout is how long connecting may take.
	connectTimeout = 15 * time.Second
	// readBuffer is the size in bytes of a buffer for a whole answer. A compressed page has about 3 KB.
	readBuffer = 8 << 10
)

// What a browser sends besides the cookie. It accepts gzip.
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

// Connection is one connection to a vote page. It is not safe for concurrent use.
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
	socket, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("connect to the vote page: %w", err)
	}
	c.socket = socket
	c.reader = bufio.NewReaderSize(socket, readBuffer)
	return nil
}

// Close closes the connection.
func (c *Connection) Close() { c.socket.Close() }

// Look opens the vote page and gives the voter the cookie of the answer. It returns the HTTP status.
func (c *Connection) Look(voter *Voter) (status int, err error) {
	return c.ask(pageHead, voter, poll.None)
}

// Vote votes and gives the voter the cookie of the answer. It returns the HTTP status; 200 acknowledges the vote.
func (c *Connection) Vote(voter *Voter, choice poll.Choice) (status int, err error) {
	return c.ask(voteHead, voter, choice)
}

// ask sends a request and reads the answer. After an error the connection must not be used again.
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

// Body is the compressed page of the latest answer. It is valid until the next request.
func (c *Connection) Body() []byte { return c.response.Body() }

// cookieName is the voter's cookie.
const cookieName = "voter"

// Voter is a browser's cookie, as it is sent.
type Voter struct{ cookie []byte }

// take keeps the cookie of a Set-Cookie header, without its attributes.
func (v *Voter) take(setCookie []byte) {
	if len(setCookie) > 0 {
		pair, _, _ := bytes.Cut(setCookie, []byte(";"))
		v.cookie = append(v.cookie[:0], pair...)
	}
}

// Cookie is the voter's cookie as it is sent, "voter=...".
func (v *Voter) Cookie() string { return string(v.cookie) }
