package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// changedProgram changes web-vote-app in the copy of the source, and rolls it out while voters vote.
func changedProgram(s *step) {
	s.ready()
	const says = "this is the changed program"
	file := filepath.Join(s.source, "cmd", "web-vote-app", "changed.go")
	s.must(os.WriteFile(file, []byte("package main\n\nimport \"fmt\"\n\nfunc init() { fmt.Println(\""+says+"\") }\n"), 0o600))

	before := s.identities()
	campaign := s.crowd()
	time.Sleep(2 * time.Second)
	result := s.up()
	time.Sleep(2 * time.Second)
	seen := campaign.Stop()

	want := []string{}
	for _, frontend := range s.frontends() {
		want = append(want, frontend+"/"+frontend)
	}
	if got := s.replaced(before); !slices.Equal(got, want) {
		s.Errorf("the change replaced %v, want %v and nothing else", got, want)
	}
	for _, st := range result.Steps {
		// What checks the containers runs again when one is replaced.
		checks := st.Name == "check" || strings.HasSuffix(st.Name, "-healthy")
		if st.Op != apitype.OpSame && st.Type != "docker:index/image:Image" && !strings.HasPrefix(st.Type, "docker:index/"+strings.ToLower(s.kind.facts().workload)+":") && !checks {
			s.Errorf("the change does %s to %s because of %v", st.Op, st.Name, st.Because)
		}
	}
	for _, frontend := range s.frontends() {
		host := s.lab.Host(frontend)
		log, err := host.Docker(s.ctx, "logs", s.container(host, frontend).ID)
		s.must(err)
		if !strings.Contains(log, says) {
			s.Errorf("%s does not run the changed program", frontend)
		}
	}
	s.checked("`up` with a changed web-vote-app replaced %s and nothing else, in %.0f s", strings.Join(want, ", "), result.Wall.Seconds())
	s.quiet("while the frontends rolled", seen.Silence)
	s.checked("meanwhile: %s", seen)
	s.settle()
	s.unchanged()
}

// quiet checks that voters never waited longer than shortSilence for a good answer.
func (s *step) quiet(when string, silence time.Duration) {
	s.Helper()
	if silence > shortSilence {
		s.Errorf("%s no voter got a good answer for %.2f s, want %.0f s at most", when, silence.Seconds(), shortSilence.Seconds())
	}
}
