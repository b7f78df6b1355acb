// Package eventually waits for what happens in the background of a test.
package eventually

import (
	"context"
	"testing"
	"time"
)

const (
	// shortestInterval and longestInterval are between two checks. The interval grows by a quarter each time, so the wait
	// ends at most a quarter too late.
	shortestInterval, longestInterval = 5 * time.Millisecond, 200 * time.Millisecond
)

// Succeeds waits until check returns nil. After that much time it ends the test with the error of the last check. What is
// the expectation, such as "the queue is empty".
func Succeeds(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	if _, err := Wait(t.Context(), within, check); err != nil {
		t.Fatalf("not within %s: %s: %v", within, what, err)
	}
}

// Wait waits until check returns nil and returns how long that took. It gives up after that much time, or when ctx is done,
// and returns the error of the last check.
func Wait(ctx context.Context, within time.Duration, check func() error) (took time.Duration, err error) {
	begun := time.Now()
	for interval := shortestInterval; ; interval = min(interval+interval/4, longestInterval) {
		err := check()
		took := time.Since(begun)
		if err == nil || took > within || ctx.Err() != nil {
			return took, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}
