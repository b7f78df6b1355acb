package worker

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
)

// backoff is how long to pause before trying again: twice as long each time, up to a limit. The pause is a random part of
// that, at least half, so that many workers do not try at the same time.
type backoff struct {
	shortest, longest, pause time.Duration
}

func newBackoff(shortest, longest time.Duration) *backoff {
	return &backoff{shortest: shortest, longest: longest, pause: shortest}
}

func (b *backoff) next() time.Duration {
	pause := b.pause
	b.pause = min(2*b.pause, b.longest)
	return pause/2 + rand.N(pause/2+1)
}

func (b *backoff) reset() { b.pause = b.shortest }

// sleep returns after the pause, or when ctx is done.
func sleep(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// oneLine is the error's text in one line, for logs and fields.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
