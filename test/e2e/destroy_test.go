package e2e

import (
	"io"
	"slices"
	"strings"

	"swarm-scale/lab"
)

// left lists what a host's engine has, except for the three networks that every engine has.
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

// clean checks that these hosts' engines have nothing.
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

// destroyWithDeadHost destroys the stack while one host is off. `destroy` names and skips the host, and leaves what is on it.
func destroyWithDeadHost(s *step) {
	s.ready()
	dead := s.lab.Host("worker01")
	s.must(dead.Kill(s.ctx))
	alive := slices.DeleteFunc(slices.Clone(s.lab.Hosts()), func(host *lab.Host) bool { return host == dead })
	said := s.destroyFrom(alive)
	s.must(dead.Start(s.ctx))
	if !strings.Contains(said, dead.Name+" does not answer") {
		s.Errorf("`destroy` does not say that it skipped %s", dead.Name)
	}
	s.await("the engine of "+dead.Name, wellTime, func() error {
		_, err := dead.Docker(s.ctx, "version")
		return err
	})
	s.checked("%s was off meanwhile: named and skipped; when it returns it has: %s", dead.Name, strings.Join(s.left(dead), ", "))
	s.voters.Forget()
}

// destroy destroys the stack while every host is on.
func destroy(s *step) {
	s.destroyFrom(s.lab.Hosts())
}

// destroyFrom destroys the stack, checks that nothing is left on these hosts' engines or in the state, and returns Pulumi's output.
func (s *step) destroyFrom(hosts []*lab.Host) string {
	s.Helper()
	from, err := s.log.Seek(0, io.SeekCurrent)
	s.must(err)
	result, err := s.pulumi.Destroy(s.ctx)
	s.must(err)
	s.checked("`destroy` takes %.0f s", result.Wall.Seconds())
	s.clean(hosts)
	state, err := s.pulumi.State()
	s.must(err)
	if n := len(state.Resources); n != 0 {
		s.Errorf("the state keeps %d resources", n)
	}
	to, err := s.log.Seek(0, io.SeekCurrent)
	s.must(err)
	said := make([]byte, to-from)
	_, err = s.log.ReadAt(said, from)
	s.must(err)
	return string(said)
}
