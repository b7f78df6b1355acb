package eventually

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitReturnsAtTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		took, err := Wait(t.Context(), time.Minute, func() error {
			if time.Since(begun) < 10*time.Second {
				return errors.New("too early")
			}
			return nil
		})
		if err != nil || took < 10*time.Second || took > 10*time.Second+longestInterval {
			t.Errorf("it took %s (%v), want 10 s", took, err)
		}
	})
}

func TestWaitReturnsTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, last := errors.New("first"), errors.New("last")
		begun := time.Now()
		took, err := Wait(t.Context(), time.Second, func() error {
			if time.Since(begun) <= time.Second {
				return first
			}
			return last
		})
		if !errors.Is(err, last) || took < time.Second || took > time.Second+longestInterval {
			t.Errorf("it returned %v after %s, want the last error after 1 s", err, took)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failure := errors.New("never")
		took, err := Wait(ctx, time.Hour, func() error { return failure })
		if !errors.Is(err, failure) || took != time.Second {
			t.Errorf("it returned %v after %s, want the check's error after 1 s", err, took)
		}
	})
}
