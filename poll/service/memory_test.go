package service

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mega = 1 << 20
	tests := []struct {
		name  string
		limit int64
		has   memory
		want  int
	}{
		{"hardly anything in use", 64 * mega, memory{live: 2 * mega, stacks: mega, rest: 10 * mega}, mostGarbage},
		{"half in use", 60 * mega, memory{live: 15 * mega, stacks: 5 * mega, rest: 10 * mega}, 150},
		{"nearly all in use", 60 * mega, memory{live: 35 * mega, stacks: 10 * mega, rest: 10 * mega}, leastGarbage},
		{"more in use than there should be", 60 * mega, memory{live: 200 * mega, stacks: 50 * mega, rest: 20 * mega}, leastGarbage},
		{"nothing known yet", 60 * mega, memory{}, mostGarbage},
	}
	for _, test := range tests {
		if got := garbagePercent(test.limit, test.has); got != test.want {
			t.Errorf("%s: %d percent, want %d", test.name, got, test.want)
		}
	}
}

// The percentage follows what is in use, collection by collection.
func TestLimitMemory(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	const limit = 256 << 20
	LimitMemory(limit)
	// The finalizers run in their own time.
	wait := func(what string, right func(percent int) bool) {
		t.Helper()
		percent := 0
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			runtime.GC()
			percent = debug.SetGCPercent(leastGarbage)
			debug.SetGCPercent(percent)
			if right(percent) {
				return
			}
		}
		t.Fatalf("%s: the percentage is %d", what, percent)
	}
	wait("little in use", func(percent int) bool { return percent == mostGarbage })
	ballast := make([]byte, limit)
	wait("more in use than the limit", func(percent int) bool { return percent == leastGarbage })
	runtime.KeepAlive(ballast)
	wait("little in use again", func(percent int) bool { return percent == mostGarbage })
}
