package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"swarm-scale/poll"
)

// wantedRatio is the part of the walk-through's time by hand that `pulumi up` may take.
const wantedRatio = 0.6

// byHand does the walk-through's steps one after another with the lab's script, on a fresh lab as `up` had.
func byHand(s *step) {
	s.must(s.lab.Down(s.ctx))
	s.must(s.lab.Up(s.ctx))
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "bash", filepath.Join(s.source, "lab", "by-hand", s.kind.facts().byHand), s.lab.Folder())
	output, err := script.CombinedOutput()
	s.Logf("%s", output)
	s.must(err)
	// Its last line has the sum, without the time to build the programs: "  93.4 s  all steps, one after another".
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	var took float64
	if _, err := fmt.Sscanf(lines[len(lines)-1], "%f s", &took); err != nil {
		s.Fatalf("the script's last line has no sum: %q: %v", lines[len(lines)-1], err)
	}
	s.checked("the walk-through by hand, one step after another on fresh hosts with the same images: %.0f s", took)
	s.voters.Forget()
	s.voters.Count(poll.A) // the script's vote
	if s.kind.facts().domainOfVoting {
		s.balancer = "interlock"
	}
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
	// Votes may stay uncounted there, because no service repairs the network as on the stack's nodes.
	s.must(s.voters.Settle(s.ctx))
	if _, err := s.voters.AwaitResults(s.ctx, s.results(), countTime); err != nil {
		s.checked("made by hand, the poll takes votes and does not count them all: %v", err)
	} else {
		s.checked("made by hand, the poll takes votes and counts them")
	}
	if s.upTook == 0 {
		s.Skip("`pulumi up` was not timed in this run")
	}
	ratio := s.upTook.Seconds() / took
	s.checked("`pulumi up` on fresh hosts took %.0f s: %.2f of it", s.upTook.Seconds(), ratio)
	if ratio > wantedRatio {
		s.Errorf("`pulumi up` took %.2f of the time by hand, want %.1f at most", ratio, wantedRatio)
	}
}
