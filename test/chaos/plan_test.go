package chaos

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// part is something that can be killed and paused.
type part struct {
	name          string
	kill          func(testing.TB)
	restart       func(testing.TB)
	pause, resume func(testing.TB)
}

// event is a kill or a pause of one part. A killed part is started again later, as by a restart policy. A paused part is
// resumed.
type event struct {
	part   int
	kill   bool
	begins time.Duration // since the start of the plan
	ends   time.Duration
}

const (
	// shortestGap and longestGap are between the beginnings of two events. Events often last longer, so that several parts
	// are down at once.
	shortestGap, longestGap = 100 * time.Millisecond, 1400 * time.Millisecond
	// longestDown is how long a killed part is down at most. A pause lasts from shortestPause to longestPause.
	longestDown                 = 2 * time.Second
	shortestPause, longestPause = 500 * time.Millisecond, 4 * time.Second
	// recovery is how long a part is left alone after an event.
	recovery = 300 * time.Millisecond
)

// newPlan makes a random plan of that many events for that many parts. The same seed makes the same plan. Kills and pauses
// are spread evenly over the parts.
func newPlan(seed uint64, events, parts int) []event {
	random := rand.New(rand.NewPCG(seed, 0))
	between := func(shortest, longest time.Duration) time.Duration {
		return shortest + time.Duration(random.Int64N(int64(longest-shortest)))
	}
	type card struct {
		part int
		kill bool
	}
	var deck []card
	free := make([]time.Duration, parts) // when each part may have its next event
	var plan []event
	var clock time.Duration
	for len(plan) < events {
		clock += between(shortestGap, longestGap)
		if len(deck) == 0 {
			for i := range parts {
				deck = append(deck, card{i, true}, card{i, false})
			}
			random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		at := slices.IndexFunc(deck, func(c card) bool { return free[c.part] <= clock })
		if at < 0 {
			continue
		}
		next := event{part: deck[at].part, kill: deck[at].kill, begins: clock}
		deck = slices.Delete(deck, at, at+1)
		next.ends = clock + between(shortestPause, longestPause)
		if next.kill {
			next.ends = clock + between(0, longestDown)
		}
		free[next.part] = next.ends + recovery
		plan = append(plan, next)
	}
	return plan
}

func TestPlanSpreadsEvents(t *testing.T) {
	const parts = 8
	plan := newPlan(7, 100, parts)
	if !slices.Equal(plan, newPlan(7, 100, parts)) {
		t.Error("the same seed gives another plan")
	}
	if slices.Equal(plan, newPlan(8, 100, parts)) {
		t.Error("another seed gives the same plan")
	}
	type kind struct {
		part int
		kill bool
	}
	count := map[kind]int{}
	last := make([]time.Duration, parts)
	together := 0
	for i, e := range plan {
		count[kind{e.part, e.kill}]++
		if e.begins < last[e.part] || e.ends < e.begins {
			t.Errorf("event %d, %+v, begins before the part's last event ended, or ends before it begins", i, e)
		}
		last[e.part] = e.ends
		if i > 0 && plan[i-1].ends > e.begins {
			together++
		}
	}
	for i := range parts {
		if count[kind{i, true}] < 5 || count[kind{i, false}] < 5 {
			t.Errorf("part %d is killed %d times and paused %d times, want at least 5 of each",
				i, count[kind{i, true}], count[kind{i, false}])
		}
	}
	if together < 20 {
		t.Errorf("%d of 100 events begin while another one lasts, want at least 20", together)
	}
}
