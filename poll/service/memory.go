package service

import (
	"os"
	"runtime/debug"
)

// LimitMemory has Go collect garbage less often than it does by itself, which saves a tenth of the processor time, as long
// as the program needs much less than limit, in bytes. Whoever sets GOGC or GOMEMLIMIT for the program knows better.
func LimitMemory(limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
