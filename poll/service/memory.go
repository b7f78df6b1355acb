package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Bounds of how much garbage there may be, in percent of what is in use. Less often than at the upper one, collecting saves
// nothing any more. More often than at the lower one, the program would do little else; rather than that it takes more
// memory than its limit.
const (
	mostGarbage  = 400
	leastGarbage = 15
)

// LimitMemory has Go collect garbage as seldom as possible while the program stays below limit, in bytes of resident memory.
// With Go's own rule a small program collects all the time, and with Go's own limit one that needs more than that does
// nothing else. Whoever sets GOGC or GOMEMLIMIT for the program knows better.
func LimitMemory(limit int64) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(leastGarbage)
	afterEachCollection(func() {
		debug.SetGCPercent(garbagePercent(limit, measureMemory()))
	})
}

// afterEachCollection calls tune after every garbage collection, by something that is garbage each time.
func afterEachCollection(tune func()) {
	type garbage struct{ _ [16]byte }
	runtime.SetFinalizer(&garbage{}, func(*garbage) {
		tune()
		afterEachCollection(tune)
	})
}

// memory is what a program has, in bytes.
type memory struct {
	live   int64 // objects in use when the latest collection ended
	stacks int64
	rest   int64 // what is neither: the program itself, the collector's books
}

// programMemory is about what the program's own code and data take, which Go's numbers do not have.
const programMemory = 8 << 20

func measureMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	m := memory{live: value(0), stacks: value(1)}
	m.rest = value(2) - value(1) - value(3) - value(4) - value(5) + programMemory
	return m
}

// garbagePercent is how much garbage may come to what is in use before it is collected, in percent.
func garbagePercent(limit int64, m memory) int {
	room := limit - m.live - m.stacks - m.rest
	percent := 100 * room / max(m.live+m.stacks, 1)
	return int(min(max(percent, leastGarbage), mostGarbage))
}
