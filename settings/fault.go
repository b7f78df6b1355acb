package settings

import "fmt"

// Namespace is the Pulumi project's name, the part before the colon of every key.
const Namespace = "swarm-scale"

// Kind is what sort of thing is wrong with a setting.
type Kind string

// The kinds of faults.
const (
	Missing    Kind = "missing"      // it is not set and has to be, or a part of it is not there
	Unknown    Kind = "unknown"      // it names something that there is not
	Malformed  Kind = "malformed"    // it is not of the form that it has to have
	OutOfRange Kind = "out of range" // it is of the right form, and too small or too large
	Conflict   Kind = "conflict"     // it does not fit another setting, or repeats something
	Insecure   Kind = "insecure"     // it would show a secret, or let anybody in
)

// Fault is one thing that is wrong with a stack's settings, in the words of somebody who will mend it.
type Fault struct {
	Key     string // as in the declarations, without the namespace: "frontends", "hosts[2].address"
	Value   string // what was given; "[secret]" for a secret; empty where nothing was given
	Kind    Kind   // what sort of thing is wrong
	Problem string // what is wrong with it
	Remedy  string // what to do
}

// Error is one line: key, value, problem, remedy.
func (f Fault) Error() string {
	if f.Value == "" {
		return fmt.Sprintf("%s:%s %s: %s", Namespace, f.Key, f.Problem, f.Remedy)
	}
	return fmt.Sprintf("%s:%s is %q, which %s: %s", Namespace, f.Key, f.Value, f.Problem, f.Remedy)
}
