package app

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startAlone starts a server on a folder, and returns the lines that it prints and how to end it.
func startAlone(t *testing.T, folder, server string) (lines <-chan string, process *exec.Cmd) {
	t.Helper()
	arguments := alone(folder, "sh", "-c", server)
	process = exec.Command(arguments[0], arguments[1:]...)
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-process.Process.Pid, syscall.SIGKILL) }) // those that have ended already are not there
	printed := make(chan string, 16)
	go func() {
		defer close(printed)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			printed <- scanner.Text()
		}
	}()
	return printed, process
}

// next returns the next line, or fails after a while.
func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(10 * time.Second):
		t.Fatal("no line after 10 s")
		return ""
	}
}

// TestOneServerOnAFolder holds that a server begins once the former one has ended, with all of its processes, and that one that waits ends when
// it is told to.
func TestOneServerOnAFolder(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("flock is not installed: it comes with util-linux")
	}
	folder := t.TempDir()
	first, former := startAlone(t, folder, `echo first; sleep 3600 & read -r _ || true; wait`)
	if line := next(t, first); line != "first" {
		t.Fatal(line)
	}
	waits := "alone: waits until another container has left " + folder
	second, successor := startAlone(t, folder, "echo second")
	if line := next(t, second); line != waits {
		t.Fatalf("%q, want %q", line, waits)
	}
	third, impatient := startAlone(t, folder, "echo third")
	if line := next(t, third); line != waits {
		t.Fatalf("%q, want %q", line, waits)
	}
	if err := impatient.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := impatient.Wait(); impatient.ProcessState.ExitCode() != 143 {
		t.Errorf("one that waits and is told to end: %v, want 143", err)
	}
	// The server is gone, and one of its processes still writes.
	if err := former.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-second:
		t.Fatalf("beside a process of the former server: %q", line)
	case <-time.After(200 * time.Millisecond):
	}
	if err := syscall.Kill(-former.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if line := next(t, second); line != "second" {
		t.Fatal(line)
	}
	if err := successor.Wait(); err != nil {
		t.Error(err)
	}

	gone, lost := startAlone(t, folder+"/missing", "echo begins")
	if line, open := <-gone; open {
		t.Errorf("without its folder: %q", line)
	}
	if err := lost.Wait(); err == nil {
		t.Error("it begins without its folder")
	}
}

// TestAloneCommand holds that the server and its arguments follow the folder.
func TestAloneCommand(t *testing.T) {
	if got := strings.Join(alone("/data", "redis-server", "--port", "1")[3:], " "); got != "alone /data redis-server --port 1" {
		t.Error(got)
	}
}
