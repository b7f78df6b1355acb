package settings

import "fmt"

// Namespace is the Pulumi project's name, the part before the colon of every key.
const Namespace = "swarm-scale"

// Kind is the sort of a fault.
type Kind string

// The kinds of faults.
const (
	Missing    Kind = "missing"      // it is required and not set, or a part of it is absent
	Unknown    Kind = "unknown"      // it names something that does not exist
	Malformed  Kind = "malformed"    // it has the wrong form
	OutOfRange Kind = "out of range" // it is too small or too large
	Conflict   Kind = "conflict"     // it contradicts another setting, or repeats something
	Insecure   Kind = "insecure"     // it would reveal a secret, or let anybody in
)

// Fault is one thing that is wrong with a stack's settings, worded for the person who corrects it.
type Fault struct {
	Key     string // as in the declarations, without the namespace: "frontends", "hosts[2].address"
	Value   string // as given; "[secret]" for a secret; empty if nothing was given
	Kind    Kind   // the sort of fault
	Problem string // what is wrong: "is not set"
	Remedy  string // what to do: "set it to haproxy or interlock"
}

// Error is one line: key, value, problem, remedy.
func (f Fault) Error() string {
	if f.Value == "" {
		return fmt.Sprintf("%s:%s %s: %s", Namespace, f.Key, f.Problem, f.Remedy)
	}
	return fmt.Sprintf("%s:%s is %q, which %s: %s", Namespace, f.Key, f.Value, f.Problem, f.Remedy)
}
