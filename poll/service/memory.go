package service

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Bounds of how much garbage there may be, in percent of what is in use. Above the upper one, collecting less often saves
// nothing. Below the lower one, the program would do little but collect: it rather takes more memory than its limit.
const (
	mostGarbage  = 400
	leastGarbage = 15
)

// LimitMemory has Go collect garbage as seldom as possible while the program stays below limit, in bytes of resident memory.
//
// Go's own rules are not enough. Without a limit a small program collects all the time. debug.SetMemoryLimit keeps to the limit
// at any price: with 2,000 connections that all vote as fast as they can, which need more than the vote page's limit, it took
// 900 to 1,200 votes a second where this takes 1,200 to 4,500.
func LimitMemory(limit int64) {
	debug.SetGCPercent(leastGarbage)
	afterEachCollection(func() {
		debug.SetGCPercent(garbagePercent(limit, measureMemory()))
	})
}

// afterEachCollection calls tune after every garbage collection, by the finalizer of an object that is garbage each time.
func afterEachCollection(tune func()) {
	type garbage struct{ _ [16]byte }
	runtime.SetFinalizer(&garbage{}, func(*garbage) {
		tune()
		afterEachCollection(tune)
	})
}

// memory is what a program uses, in bytes.
type memory struct {
	live   int64 // objects in use when the latest collection ended
	stacks int64
	rest   int64 // neither of them: the program itself, the collector's own data
}

// programMemory is about what the program's own code and data take. Go's numbers do not have it.
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
