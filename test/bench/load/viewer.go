package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Viewers watch the live results. Each has its own connection.
type Viewers struct {
	sockets []net.Conn

	mu      sync.Mutex
	changed *sync.Cond
	totals  []int64 // the total that each viewer sees; -1 before the first
	failed  error
}

// Watch connects that many viewers to the results page at address, host:port. The caller must call Close.
func Watch(ctx context.Context, address string, viewers int) (*Viewers, error) {
	v := &Viewers{totals: make([]int64, viewers)}
	v.changed = sync.NewCond(&v.mu)
	for i := range viewers {
		socket, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", address)
		if err != nil {
			v.Close()
			return nil, fmt.Errorf("connect to the results page: %w", err)
		}
		v.sockets = append(v.sockets, socket)
		if _, err := io.WriteString(socket, "GET /events HTTP/1.1\r\nHost: results\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
			v.Close()
			return nil, fmt.Errorf("ask for the results: %w", err)
		}
		v.totals[i] = -1
		go v.watch(i, socket)
	}
	return v, nil
}

// watch reads one viewer's events until the connection ends.
func (v *Viewers) watch(viewer int, socket net.Conn) {
	err := func() error {
		reader := bufio.NewReader(socket)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the results page answered with %s", response.Status)
		}
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			data, isData := strings.CutPrefix(lines.Text(), "data: ")
			if !isData {
				continue
			}
			var results struct{ Total int64 }
			if err := json.Unmarshal([]byte(data), &results); err != nil {
				return fmt.Errorf("event %q: %w", data, err)
			}
			v.saw(viewer, results.Total)
		}
		return fmt.Errorf("the events ended: %w", io.EOF)
	}()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = err
	v.changed.Broadcast()
}

func (v *Viewers) saw(viewer int, total int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.totals[viewer] = total
	v.changed.Broadcast()
}

// Wait waits until every viewer sees that many votes or more. It gives up after patience.
func (v *Viewers) Wait(total int64, patience time.Duration) error {
	late := false
	timer := time.AfterFunc(patience, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		late = true
		v.changed.Broadcast()
	})
	defer timer.Stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	for behind := 0; ; {
		for behind < len(v.totals) && v.totals[behind] >= total {
			behind++
		}
		switch {
		case behind == len(v.totals):
			return nil
		case v.failed != nil:
			return v.failed
		case late:
			return fmt.Errorf("viewer %d sees %d votes after %s, want %d", behind, v.totals[behind], patience, total)
		}
		v.changed.Wait()
	}
}

// Close closes all connections.
func (v *Viewers) Close() {
	for _, socket := range v.sockets {
		socket.Close()
	}
}
