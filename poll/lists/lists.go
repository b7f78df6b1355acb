// Package lists follows a list that somebody changes while a program runs, such as the addresses of the queues.
package lists

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// Interval is how often a list is read.
const Interval = time.Second

// List is a list that may change.
type List struct {
	Name string                       // for the log: "queues"
	Read func() ([]string, error)     // the list as it is now
	Use  func(entries []string) error // puts it into effect; called with each good list, changed or not
	Log  *slog.Logger
	// Bad is told after each attempt whether the list could not be read or used. nil: nobody is told.
	Bad func(bool)
}

// Follow reads the list every second and uses it, until ctx is done. A list that cannot be read or used leaves everything as it is. The
// fault is logged once, until the list is good again.
func (l List) Follow(ctx context.Context) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	fault := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		fault = l.once(fault)
	}
}

// once reads and uses the list, and returns what is wrong with it. before is what was wrong with it the last time.
func (l List) once(before string) (fault string) {
	entries, err := l.Read()
	if err == nil {
		err = l.Use(entries)
	}
	if err != nil {
		fault = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if l.Bad != nil {
		l.Bad(fault != "")
	}
	switch fault {
	case before:
	case "":
		l.Log.Info("following the list of " + l.Name + " again")
	default:
		l.Log.Error("cannot follow the list of "+l.Name+"; the "+l.Name+" stay as they are", "error", fault)
	}
	return fault
}
