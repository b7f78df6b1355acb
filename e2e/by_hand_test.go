package e2e

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// wantedRatio is how much of the time of the walk-through by hand `pulumi up` may take.
const wantedRatio = 0.6

// byHand does the walk-through's steps one after another, by the lab's script, on a lab as fresh as the one that `up` had.
func byHand(s *step) {
	s.must(s.lab.Down(s.ctx))
	s.must(s.lab.Up(s.ctx))
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "bash", filepath.Join(s.source, "lab", "by-hand.sh"), s.lab.Folder())
	begun := time.Now()
	output, err := script.CombinedOutput()
	took := time.Since(begun)
	s.Logf("%s", output)
	s.must(err)
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	s.checked("the walk-through by hand, one step after another on fresh hosts with the same images: %.0f s (%s)", took.Seconds(), lines[len(lines)-1])
	s.voters.Forget()
	s.balancer = "interlock"
	s.await("votes to be taken", wellTime, func() error {
		seen := s.voters.Look(s.ctx, 4)
		if seen.Bad > 0 {
			return errors.New(seen.String())
		}
		return nil
	})
	if seen := s.voters.Vote(s.ctx, 40); seen.Bad > 0 {
		s.Errorf("the poll made by hand refuses votes: %s", seen)
	}
	s.settle()
	if s.upTook == 0 {
		s.Skip("`pulumi up` was not timed in this run")
	}
	ratio := s.upTook.Seconds() / took.Seconds()
	s.checked("`pulumi up` on fresh hosts took %.0f s: %.2f of it", s.upTook.Seconds(), ratio)
	if ratio > wantedRatio {
		s.Errorf("`pulumi up` took %.2f of the time by hand, want %.1f at most", ratio, wantedRatio)
	}
}
