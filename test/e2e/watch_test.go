package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	"swarm-scale/test/voters"
)

// watch is voters who vote and viewers who look at the results while something happens to the poll.
type watch struct {
	campaign *voters.Campaign
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mutex sync.Mutex
	live  []time.Time // when the results were seen live
}

// lookEvery is how often the results are looked at.
const lookEvery = 250 * time.Millisecond

// watch begins to watch the poll.
func (s *step) watch() *watch {
	ctx, cancel := context.WithCancel(s.ctx)
	w := &watch{campaign: s.crowd(), cancel: cancel}
	w.running.Go(func() {
		for ctx.Err() == nil {
			looking, done := context.WithTimeout(ctx, 2*time.Second)
			if results, err := s.voters.ReadResults(looking, s.results()); err == nil && results.Live {
				w.mutex.Lock()
				w.live = append(w.live, time.Now())
				w.mutex.Unlock()
			}
			done()
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	})
	return w
}

// stop ends the watch.
func (w *watch) stop() voters.Observation {
	w.cancel()
	w.running.Wait()
	return w.campaign.Stop()
}

// resultsAway is the longest time from a moment on in which nobody saw live results.
func (w *watch) resultsAway(from time.Time) time.Duration {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	longest, last := time.Duration(0), from
	for _, at := range append(w.live, time.Now()) {
		if at.After(last) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	return longest
}

// What voters and viewers may lose at most when a machine or a zone vanishes.
const (
	// votingAway is how long voting may be away, for votersAway of the voters.
	votingAway = 5 * time.Second
	votersAway = 0.5
	// resultsPatience is how long the results may be away.
	resultsPatience = time.Minute
)

// loss is what a loss cost.
type loss struct {
	early, late voters.Observation // of requests begun within votingAway of the loss, and later
	silence     time.Duration
	results     time.Duration
}

// cost sums up what was seen since a loss.
func (w *watch) cost(lost time.Time) loss {
	seen := w.campaign.Now()
	return loss{
		early: seen.Begun(lost, lost.Add(votingAway)), late: seen.Begun(lost.Add(votingAway), time.Now()),
		silence: seen.Since(lost).Silence, results: w.resultsAway(lost),
	}
}

// share is the part of the answers that were bad.
func share(seen voters.Observation) float64 {
	return float64(seen.Bad) / float64(max(1, seen.Good+seen.Bad))
}

func (l loss) String() string {
	text := fmt.Sprintf("%.1f %% of the requests of the first %.0f s failed, %.1f %% of the later ones; longest time without a good answer %.2f s, without live results %.1f s",
		100*share(l.early), votingAway.Seconds(), 100*share(l.late), l.silence.Seconds(), l.results.Seconds())
	if failures := l.late.Failures; len(failures) > 0 {
		text += fmt.Sprintf(" (later: %v)", failures)
	}
	return text
}

// kept fails the step if the loss cost more than is promised.
func (s *step) kept(what string, l loss) {
	s.Helper()
	if share(l.early) > votersAway {
		s.Errorf("%s: %.0f %% of the voters failed at first, promised are %.0f %% at most: %s", what, 100*share(l.early), 100*votersAway, l.early)
	}
	// A request that fails once in a thousand is no outage.
	if share(l.late) > 0.001 {
		s.Errorf("%s: voting is away for more than %.0f s: %s", what, votingAway.Seconds(), l.late)
	}
	if l.results > resultsPatience {
		s.Errorf("%s: the results were away for %.0f s, promised are %.0f s at most", what, l.results.Seconds(), resultsPatience.Seconds())
	}
}
