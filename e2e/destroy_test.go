package e2e

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"

	"swarm-scale/lab"
)

// left lists what is on a host's engine that was not there before `up`: an engine comes with three networks and nothing else.
func (s *step) left(host *lab.Host) []string {
	s.Helper()
	var found []string
	for kind, list := range map[string][]string{
		"container": {"ps", "--all", "--format", "{{.Names}}"},
		"image":     {"images", "--all", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"},
		"network":   {"network", "ls", "--format", "{{.Name}}"},
		"volume":    {"volume", "ls", "--format", "{{.Name}}"},
	} {
		text, err := host.Docker(s.ctx, list...)
		s.must(err)
		for line := range strings.Lines(text) {
			name := strings.TrimSpace(line)
			if kind == "network" && slices.Contains([]string{"bridge", "host", "none"}, name) {
				continue
			}
			found = append(found, host.Name+": "+kind+" "+name)
		}
	}
	slices.Sort(found)
	return found
}

// clean checks that nothing is left on these hosts.
func (s *step) clean(hosts []*lab.Host) {
	s.Helper()
	var found []string
	for _, host := range hosts {
		found = append(found, s.left(host)...)
	}
	if len(found) > 0 {
		s.Errorf("`destroy` leaves:\n%s", strings.Join(found, "\n"))
		return
	}
	s.checked("no container, image, network or volume is left on %d engines", len(hosts))
}

// destroyWithDeadHost destroys the stack while one host is off, and the rest of it when the host is back.
func destroyWithDeadHost(s *step) {
	s.ready()
	dead := s.lab.Host("worker01")
	s.must(dead.Kill(s.ctx))
	result, err := s.pulumi.Destroy(s.ctx, optdestroy.ContinueOnError())
	if err != nil {
		s.Logf("`destroy --continue-on-error` without worker01 says: %v", err)
		if !strings.Contains(err.Error(), dead.Name) {
			s.Errorf("the error does not name the host that is off: %v", err)
		}
	}
	alive := slices.DeleteFunc(slices.Clone(s.lab.Hosts()), func(host *lab.Host) bool { return host == dead })
	s.clean(alive)
	s.checked("`destroy --continue-on-error` with %s off takes %.0f s and leaves nothing on the other hosts", dead.Name, result.Wall.Seconds())
	s.must(dead.Start(s.ctx))
	s.await("the engine of "+dead.Name, wellTime, func() error {
		_, err := dead.Docker(s.ctx, "version")
		return err
	})
	s.destroyAll()
	s.voters.Forget()
}

// destroy takes the stack away.
func destroy(s *step) { s.destroyAll() }

// destroyAll destroys what is there and checks that nothing of it is left, on any engine or in the state.
func (s *step) destroyAll() {
	s.Helper()
	result, err := s.pulumi.Destroy(s.ctx)
	s.must(err)
	s.checked("`destroy` takes %.0f s", result.Wall.Seconds())
	s.clean(s.lab.Hosts())
	state, err := s.pulumi.State()
	s.must(err)
	if n := len(state.Resources); n != 0 {
		s.Errorf("the state keeps %d resources", n)
	}
}
