package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"swarm-scale/test/programtest"
	"swarm-scale/test/testprocess"
)

// bare is where the program of folder bare was built.
var bare struct {
	sync.Mutex
	folder string
}

// startBare starts the bare handler with the HTTP response in file. It returns the process and its address, host:port.
func startBare(t *testing.T, file string) (process *testprocess.Process, address string) {
	t.Helper()
	address = programtest.FreeAddress(t)
	command := exec.Command(buildBare(t), address, file)
	command.Stderr = os.Stderr
	process, err := testprocess.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return process, address
		}
		if process.Ended() || time.Now().After(deadline) {
			t.Fatalf("the bare handler does not accept connections: %v", err)
		}
	}
}

// buildBare builds the bare handler once and returns its path.
func buildBare(t *testing.T) string {
	t.Helper()
	bare.Lock()
	defer bare.Unlock()
	path := filepath.Join(bare.folder, "bare")
	if bare.folder != "" {
		return path
	}
	folder, err := os.MkdirTemp("", "bare-")
	if err != nil {
		t.Fatal(err)
	}
	bare.folder, path = folder, filepath.Join(folder, "bare")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "swarm-scale/test/bench/bare")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("go build: %w\n%s", err, output))
	}
	return path
}

// removeBare deletes the bare handler.
func removeBare() { _ = os.RemoveAll(bare.folder) } // in the system's temporary folder; nothing depends on it
