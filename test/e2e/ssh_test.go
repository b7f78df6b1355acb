package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// sshUnderLoad opens sixteen connections to one host at once, in eight rounds, as the docker provider does.
func sshUnderLoad(s *step) {
	s.ready()
	const together, rounds = 16, 8
	begun := time.Now()
	for range rounds {
		var group errgroup.Group
		for range together {
			group.Go(func() error {
				output, err := exec.CommandContext(s.ctx, "ssh", "-F", filepath.Join(s.lab.Folder(), "ssh_config"), "manager", "docker", "version").CombinedOutput()
				if err != nil {
					return fmt.Errorf("ssh: %w\n%s", err, output)
				}
				return nil
			})
		}
		s.must(group.Wait())
	}
	s.checked("%d rounds of %d SSH connections at once to one host, each for a docker call: none refused, %.1f s", rounds, together, time.Since(begun).Seconds())
	refreshed, err := s.pulumi.Refresh(s.ctx)
	s.must(err)
	s.noChanges("a `refresh` with 32 operations at a time", refreshed)
}
