package settings

import "fmt"

// Namespace is the Pulumi project's name, the part before the colon of every key.
const Namespace = "swarm-scale"

// Fault is one thing that is wrong with a stack's settings, in the words of somebody who will mend it.
type Fault struct {
	Key     string // as in the declarations, without the namespace: "frontends", "hosts[2].address"
	Value   string // what was given; "[secret]" for a secret; empty where nothing was given
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
