package e2e

import (
	"strings"
	"time"
)

// twoDeployments has a second person run `pulumi up` while the first one's runs, which rolls the frontends. The second one is refused,
// with what to do, and nothing is broken.
func twoDeployments(s *step) {
	s.ready()
	campaign := s.crowd()
	s.must(s.pulumi.Set(map[string]any{"optionA": "Cats, or more cats"}))
	started := make(chan struct{})
	s.lines.watch(func(line string) {
		if strings.Contains(line, "frontend01") && strings.Contains(line, "ing (") {
			s.lines.unwatch()
			close(started)
		}
	})
	first := make(chan error, 1)
	go func() {
		_, err := s.pulumi.Up(s.ctx)
		first <- err
	}()
	select {
	case <-started:
	case err := <-first:
		s.Fatalf("the first `up` ended before it came to frontend01: %v", err)
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	}
	begun := time.Now()
	_, err := s.pulumi.Up(s.ctx)
	took := time.Since(begun)
	if err == nil || !strings.Contains(err.Error(), "currently locked") {
		s.Errorf("a second `up` beside the first: %v, want that the stack is locked", err)
	}
	s.must(<-first)
	s.await("everything to be well", wellTime, s.well)
	seen := campaign.Stop()
	s.quiet("while two people deployed", seen.Silence)
	s.checked("a second `up` beside the first is refused after %.0f s, because the stack is locked; the first one completes; voters meanwhile: %s", took.Seconds(), seen)
	s.must(s.pulumi.Set(map[string]any{"optionA": "Cats"}))
	s.up()
	s.settle()
	s.unchanged()
}
