// Package haproxytest runs the real HAProxy with the configuration of the way in.
package haproxytest

import (
	"encoding/csv"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarm-scale/app/wayin"
	"swarm-scale/test/eventually"
	"swarm-scale/test/programtest"
	"swarm-scale/test/testprocess"
)

// patience is how long HAProxy may take until it answers.
const patience = 30 * time.Second

// statistics is the statistics page of every Balancer.
var statistics = wayin.Statistics{Path: "/haproxy", User: "stats", Password: "not-a-secret"}

// Balancer is a HAProxy that runs. It ends with the test.
type Balancer struct {
	*testprocess.Process
	Address string // host:port
	URL     string
	Log     *programtest.Log
}

// Start starts HAProxy at an address of its own, with a statistics page, and waits until it listens.
func Start(t testing.TB, options wayin.Options) *Balancer {
	t.Helper()
	b := &Balancer{Address: programtest.FreeAddress(t), Log: &programtest.Log{}}
	b.URL = "http://" + b.Address
	options.Listen, options.Statistics = b.Address, &statistics
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(Configuration(t, options)), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(Path(t), "-db", "-f", file)
	command.Stdout, command.Stderr = b.Log, b.Log
	var err error
	if b.Process, err = testprocess.Start(command); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() {
			t.Logf("the end of HAProxy's log:\n%s", b.Log.Tail(30))
		}
	})
	eventually.Succeeds(t, patience, "HAProxy listens", func() error {
		if b.Ended() {
			t.Fatalf("HAProxy ended with code %d:\n%s", b.Wait(), b.Log)
		}
		connection, err := net.Dial("tcp", b.Address)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	return b
}

// Path is where HAProxy is installed. Without it the test is skipped.
func Path(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed: apt-get install haproxy, or make packages")
	}
	return path
}

// Configuration is haproxy.cfg.
func Configuration(t testing.TB, options wayin.Options) string {
	t.Helper()
	text, err := wayin.Configuration(options)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Frontend is a program or test server at url, for the configuration.
func Frontend(name, url string) wayin.Frontend {
	return wayin.Frontend{Name: name, Address: strings.TrimPrefix(url, "http://")}
}

// AwaitFrontends waits until so many frontends are ready.
func (b *Balancer) AwaitFrontends(t testing.TB, count int) {
	t.Helper()
	eventually.Succeeds(t, patience, fmt.Sprintf("%d frontends are ready", count), func() error {
		lines, err := b.Statistics()
		if err != nil {
			return err
		}
		ready := 0
		for _, line := range lines {
			if line["pxname"] == "frontends" && line["svname"] != "BACKEND" && strings.HasPrefix(line["status"], "UP") && line["check_status"] != "" && line["check_status"] != "INI" {
				ready++
			}
		}
		if ready != count {
			return fmt.Errorf("%d are", ready)
		}
		return nil
	})
}

// Statistics is the statistics page as a table: a map of columns for each line.
func (b *Balancer) Statistics() ([]map[string]string, error) {
	request, err := http.NewRequest(http.MethodGet, b.URL+statistics.Path+";csv", nil)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(statistics.User, statistics.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the statistics are answered with %s", response.Status)
	}
	lines, err := csv.NewReader(response.Body).ReadAll()
	if err != nil {
		return nil, err
	}
	var table []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[strings.TrimPrefix(name, "# ")] = line[i]
		}
		table = append(table, row)
	}
	return table, nil
}

// Row is the line of a proxy ("vote", "frontends") and its part ("FRONTEND", "BACKEND", a frontend's name).
func (b *Balancer) Row(proxy, part string) (map[string]string, error) {
	table, err := b.Statistics()
	for _, row := range table {
		if row["pxname"] == proxy && row["svname"] == part {
			return row, nil
		}
	}
	return nil, fmt.Errorf("the statistics lack %s of %s (%w)", part, proxy, err)
}
