// Package testprocess runs the servers and programs that tests need, so that none of them outlives its test.
package testprocess

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
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
		// The kernel kills the process when the thread that started it ends, so that thread must live as long.
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

// CPU is the processor time that the process has used since its start, in user and system mode. It is read from Linux's
// /proc; elsewhere it is an error. The same holds for PeakMemory and Children.
func (p *Process) CPU() (time.Duration, error) {
	process, err := procfs.NewProc(p.PID())
	if err != nil {
		return 0, err
	}
	stat, err := process.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// PeakMemory is the most memory, in bytes, that the process has had resident since its start.
func (p *Process) PeakMemory() (int64, error) {
	process, err := procfs.NewProc(p.PID())
	if err != nil {
		return 0, err
	}
	status, err := process.NewStatus()
	return int64(status.VmHWM), err
}

// Children are the numbers of the processes that the process has started and that have not ended.
func (p *Process) Children() ([]int, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var children []int
	for _, process := range all {
		stat, err := process.Stat()
		if hasEnded(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if stat.PPID == p.PID() {
			children = append(children, process.PID)
		}
	}
	return children, nil
}

// hasEnded reports whether a process or thread could not be read because it has just ended.
func hasEnded(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

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

// Pause stops the process without ending it. When it returns, none of its threads runs any more.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		stopped, err := p.stopped()
		if stopped || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d still runs 5 s after the signal to pause", p.PID())
		}
	}
}

// stopped reports whether all threads have stopped, or ended.
func (p *Process) stopped() (bool, error) {
	threads, err := procfs.AllThreads(p.PID())
	if hasEnded(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		stat, err := thread.Stat()
		if hasEnded(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		if stat.State != "T" && stat.State != "Z" && stat.State != "X" {
			return false, nil
		}
	}
	return true, nil
}

// Resume is the end of Pause.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// FreePort chooses from these ports. They are below those that the kernel gives to outgoing connections, so that a killed
// server finds its port free when it is started again.
const firstPort, portCount = 15_000, 15_000

// FreePort is a TCP port on 127.0.0.1 that nobody listened on just now.
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
