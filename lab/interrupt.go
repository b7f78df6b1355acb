package lab

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// endByItself has a command that runs Pulumi end by itself when its context ends. Killed outright, Pulumi would not know what it was
// just making, and would leave the stack locked. At the first interrupt Pulumi finishes the steps that are under way. At the second
// it gives them up. So each further interrupt of this program is passed on.
//
// The command has a process group of its own. The terminal's Ctrl-C, which goes to a whole group, would otherwise reach Pulumi twice.
func endByItself(command *exec.Cmd, say func(format string, arguments ...any)) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error {
		say("lab: Pulumi ends once the steps that are under way are done. Interrupt again to give them up")
		further := make(chan os.Signal, 1)
		signal.Notify(further, os.Interrupt, syscall.SIGTERM)
		go func() {
			for range further { // as long as this program runs
				_ = command.Process.Signal(os.Interrupt)
			}
		}()
		return command.Process.Signal(os.Interrupt)
	}
}
