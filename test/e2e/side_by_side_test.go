package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"swarm-scale/lab"
	"swarm-scale/poll/redis"
	"swarm-scale/topology"
)

// sideBySide is how many times queuesSideBySide starts all queues anew.
const sideBySide = 20

// queuesSideBySide has three queues and starts them anew side by side, again and again. Each time their addresses may change nodes. Every
// queue has to be counted again in a moment, without a hand.
func queuesSideBySide(s *step) {
	defer s.patiently()()
	s.ready()
	if len(s.frontends()) < 3 {
		s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 3, topology.Worker: 1}))
		s.must(s.pulumi.Set(map[string]any{"hosts": s.lab.Config()["hosts"], "frontends": 3}))
		s.up()
		s.await("everything to run", wellTime, s.well)
	}
	campaign := s.crowd()
	var queues []string
	for _, frontend := range s.frontends() {
		queues = append(queues, "redis"+strings.TrimPrefix(frontend, "frontend"))
	}
	var slowest time.Duration
	moved := 0
	for round := range sideBySide {
		before := s.addresses(queues)
		s.replaceSideBySide(queues)
		after := s.addresses(queues)
		for _, queue := range queues {
			if before[queue] != after[queue] {
				moved++
			}
		}
		time.Sleep(longestWait + time.Second) // votes come in that may have to wait
		took := s.await(fmt.Sprintf("every queue to be counted in round %d", round+1), countTime, func() error { return s.counted(queues) })
		slowest = max(slowest, took)
		s.Logf("round %d: addresses %v, counted after %.1f s", round+1, after, took.Seconds())
	}
	seen := campaign.Stop()
	s.checked("%d queues replaced side by side %d times, %d times with another address: all counted again after %.0f s at most; voters meanwhile: %s",
		len(queues), sideBySide, moved, slowest.Seconds(), seen)
	s.await("everything to be well", wellTime, s.well)
	s.settle()

	s.must(s.pulumi.Set(map[string]any{"frontends": 2}))
	s.up()
	s.must(s.lab.Grow(s.ctx, topology.Counts{topology.Frontend: 2, topology.Worker: 1}))
	s.tellHosts()
	s.unchanged()
}

// replaceSideBySide takes all of these containers off the network, and then starts them at once, so that their addresses are given out
// anew.
func (s *step) replaceSideBySide(containers []string) {
	s.Helper()
	for replicas := range 2 {
		s.must(s.kind.scale(s.ctx, containers, replicas))
	}
}

// hostOf returns the host of a queue.
func (s *step) hostOf(queue string) *lab.Host {
	return s.lab.Host("frontend" + strings.TrimPrefix(queue, "redis"))
}

// addresses returns the addresses of containers on the network, by their names.
func (s *step) addresses(containers []string) map[string]string {
	s.Helper()
	all := map[string]string{}
	for _, name := range containers {
		all[name] = s.container(s.hostOf(name), name).NetworkSettings.Networks["mynet"].IPAddress
	}
	return all
}

// longestWait is how old a vote in a queue may be while it is counted as it comes in.
const longestWait = 3 * time.Second

// counted returns an error if a vote has waited in one of the queues for longestWait.
func (s *step) counted(queues []string) error {
	for _, queue := range queues {
		found, err := s.containers(s.ctx, s.hostOf(queue))
		if err != nil {
			return err
		}
		oldest, err := s.hostOf(queue).Docker(s.ctx, "exec", found[queue].ID, "sh", "-c",
			"(sed -n 's/^requirepass /AUTH /p' /run/secrets/redis.conf; echo XRANGE "+redis.Stream+" - + COUNT 1) | redis-cli | tail -n +2")
		if err != nil {
			return err
		}
		since, _, waits := strings.Cut(oldest, "-") // of the entry's ID, in milliseconds since 1970
		if !waits {
			continue // it is empty
		}
		at, err := strconv.ParseInt(since, 10, 64)
		if err != nil {
			return fmt.Errorf("the oldest entry of %s: %q", queue, oldest)
		}
		if waited := time.Since(time.UnixMilli(at)); waited > longestWait {
			return fmt.Errorf("a vote has waited in %s for %.0f s", queue, waited.Seconds())
		}
	}
	return nil
}
