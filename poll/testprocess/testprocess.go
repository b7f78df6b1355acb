// Package testprocess runs the servers and programs that tests need, so that none of them outlives its test.
package testprocess

import (
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// Process is a program that runs beside the test.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
	once    sync.Once
}

// Start starts the command. If the test's process ends in whatever way, the kernel kills the command's.
func Start(command *exec.Cmd) (*Process, error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{command: command, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's promise is about the thread that started the process, so that thread must live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // ProcessState says how it ended
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Wait waits for the process to end and returns its exit code, -1 if a signal ended it.
func (p *Process) Wait() int {
	<-p.ended
	return p.command.ProcessState.ExitCode()
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.ended }

// Signal sends a signal.
func (p *Process) Signal(signal syscall.Signal) error { return p.command.Process.Signal(signal) }

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	p.once.Do(func() {
		_ = p.command.Process.Kill() // it may have ended already
		<-p.ended
	})
}

// Pause stops the process without ending it.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Resume is the end of Pause.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Ports that FreePort chooses from: below those that the kernel gives to outgoing connections, so that a server that is
// killed finds its port free when it is started again.
const firstPort, portCount = 15_000, 15_000

// FreePort is a TCP port on 127.0.0.1 that nobody listened on a moment ago.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(portCount)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}
