package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Kill kills the CLI of the operation that is under way, as SIGKILL does. The operation then returns an error. It leaves the stack
// locked: see Cancel.
func (s *Stack) Kill() error {
	work, err := filepath.EvalSymlinks(filepath.Join(s.dir, workFolder))
	if err != nil {
		return fmt.Errorf("find the stack's folder: %w", err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, process := range processes {
		// The plugins also have this folder. They have another program.
		folder, _ := os.Readlink(filepath.Join(process, "cwd"))
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		if folder != work || filepath.Base(program) != "pulumi" {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			return err
		}
		return syscall.Kill(id, syscall.SIGKILL)
	}
	return errors.New("no operation of this stack is under way")
}

// Cancel runs `pulumi cancel`, which unlocks a stack whose operation was killed.
func (s *Stack) Cancel(ctx context.Context) error {
	if err := s.stack.Cancel(ctx); err != nil {
		return fmt.Errorf("pulumi cancel: %w", err)
	}
	return nil
}
