package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Operation is what a provider is asked to do to a resource.
type Operation string

// The operations of a provider that a resource type's data tell apart.
const (
	Check  Operation = "check"
	Create Operation = "create"
	Read   Operation = "read"
	Update Operation = "update"
	Delete Operation = "delete"
)

// Object is something that exists in the world.
type Object struct {
	// Type is the token of its resource type.
	Type string
	// ID is the provider's name for it, unique within its type.
	ID resource.ID
	// URN is the resource that made it.
	URN resource.URN
	// Inputs and Outputs are as its provider last returned them.
	Inputs, Outputs resource.PropertyMap
	// Machine is the ID of the simulated machine that it lives on, or the
	// address of an existing one.
	Machine resource.ID

	kind   *Resource
	claims []Claim
}

// Record is one change that a provider was asked for.
type Record struct {
	// URN, Type and Name are the resource's.
	URN  resource.URN
	Type string
	Name string
	// ID is the object's, empty for a Create that failed.
	ID resource.ID
	// Op is Create, Update or Delete.
	Op Operation
	// Start and End are times of this process's clock.
	Start, End time.Time
	// Took is how long the operation takes in reality.
	Took time.Duration
	// Err is why it failed, nil if it did not.
	Err error
}

// World is what the simulated providers share: the objects that exist, the
// faults to come and the record of every change. Its methods may be called from
// several goroutines.
type World struct {
	mu       sync.Mutex
	scale    float64
	root     string
	ami      string
	next     int
	objects  []*Object
	records  []Record
	faults   []fault
	dead     map[string]bool
	departed map[string]bool
	commands []commandRule
	after    []afterRule
}

// afterRule is something to do after an operation.
type afterRule struct {
	pattern *regexp.Regexp
	op      Operation
	do      func()
}

// fault makes the next operation fail that it fits.
type fault struct {
	pattern *regexp.Regexp
	op      Operation
	err     error
}

// NewWorld returns an empty world in which one second of reality takes scale
// seconds: 0 makes every operation instant, 1 real time.
func NewWorld(scale float64) *World {
	return &World{
		scale:    scale,
		ami:      "ami-0f00000000000001",
		dead:     map[string]bool{},
		departed: map[string]bool{},
	}
}

// Clone returns another world with the same objects, dead machines, commands and faults to come, and without records.
func (w *World) Clone() *World {
	w.mu.Lock()
	defer w.mu.Unlock()
	clone := &World{
		scale: w.scale, root: w.root, ami: w.ami, next: w.next,
		faults: slices.Clone(w.faults), dead: maps.Clone(w.dead), departed: maps.Clone(w.departed), commands: slices.Clone(w.commands),
	}
	for _, o := range w.objects {
		clone.objects = append(clone.objects, new(*o))
	}
	return clone
}

// SetRoot sets the directory against which providers resolve relative paths,
// the project's in reality. By default it is the process's working directory.
func (w *World) SetRoot(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.root = dir
}

// SetAMI sets the machine image that a search for the newest one finds.
func (w *World) SetAMI(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ami = id
}

// Objects returns what exists whose type, name or URN matches the pattern, in
// which * stands for any text, in order of creation.
func (w *World) Objects(pattern string) []Object {
	match := glob(pattern)
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []Object
	for _, o := range w.objects {
		if matches(match, o.Type, o.URN) {
			found = append(found, *o)
		}
	}
	return found
}

// Records returns the creates, updates and deletes so far, failed ones included, by time of start. Previews and reads
// change nothing and are no records.
func (w *World) Records() []Record {
	w.mu.Lock()
	records := slices.Clone(w.records)
	w.mu.Unlock()
	slices.SortStableFunc(records, func(a, b Record) int { return a.Start.Compare(b.Start) })
	return records
}

// FailNext makes the next create, read, update or delete, previews apart, fail with err on a resource whose type, name or
// URN matches the pattern, in which * stands for any text. Each call makes one operation fail.
func (w *World) FailNext(pattern string, op Operation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fault{pattern: glob(pattern), op: op, err: err})
}

// After calls do once, after the next create, update or delete of a resource whose type, name or URN matches the pattern, in which *
// stands for any text. What was asked for is done then, and the Pulumi engine does not know it yet.
func (w *World) After(pattern string, op Operation, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = append(w.after, afterRule{pattern: glob(pattern), op: op, do: do})
}

// done calls what After has registered for an operation.
func (w *World) done(urn resource.URN, kind string, op Operation) {
	w.mu.Lock()
	at := slices.IndexFunc(w.after, func(rule afterRule) bool { return rule.op == op && matches(rule.pattern, kind, urn) })
	var do func()
	if at >= 0 {
		do = w.after[at].do
		w.after = slices.Delete(w.after, at, at+1)
	}
	w.mu.Unlock()
	if do != nil {
		do()
	}
}

// MachineDead makes a machine unreachable: from now on every operation that
// dials it fails. The address is any of its addresses or names, or a pattern
// with * in it for several machines. A machine that replaces a dead one is
// alive.
func (w *World) MachineDead(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	match, found := glob(address), false
	for _, o := range w.objects {
		if o.kind.Machine && slices.ContainsFunc(o.kind.Addresses(o), match.MatchString) {
			w.dead[string(o.ID)] = true
			found = true
		}
	}
	if !found {
		w.dead[address] = true
	}
}

// Vanish removes the objects that match the pattern and those that live on
// them. The Pulumi engine is not told. It returns how many objects it removed.
func (w *World) Vanish(pattern string) int {
	match := glob(pattern)
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.objects)
	for _, o := range slices.Clone(w.objects) {
		if matches(match, o.Type, o.URN) {
			w.remove(o)
		}
	}
	return before - len(w.objects)
}

// Remove removes one object and those that live on it. The Pulumi engine is not told.
func (w *World) Remove(gone Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.find(gone.Type, gone.ID); o != nil {
		w.remove(o)
	}
}

// Put adds an object that no Pulumi engine made. It starts from a copy of another one of its type. It claims nothing.
func (w *World) Put(like Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	like.claims = nil
	w.objects = append(w.objects, &like)
}

// Reachable reports whether a machine answers at an address.
func (w *World) Reachable(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reachable(address)
}

// Clear removes the objects on an existing machine that has these addresses and
// names, as when it is given back or installed again. The Pulumi engine is not
// told.
func (w *World) Clear(addresses ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects = slices.DeleteFunc(w.objects, func(o *Object) bool {
		return slices.Contains(addresses, string(o.Machine))
	})
}

// machine returns the simulated machine known under an address or name.
func (w *World) machine(address string) *Object {
	for _, o := range w.objects {
		if o.kind.Machine && slices.Contains(o.kind.Addresses(o), address) {
			return o
		}
	}
	return nil
}

// reachable says whether a host answers. The mutex must be held.
func (w *World) reachable(host string) bool {
	m := w.machine(host)
	if m != nil {
		if w.dead[string(m.ID)] {
			return false
		}
		for address := range w.dead {
			match := glob(address)
			if slices.ContainsFunc(m.kind.Addresses(m), match.MatchString) {
				return false
			}
		}
		return true
	}
	for address := range w.dead {
		if glob(address).MatchString(host) {
			return false
		}
	}
	return !w.departed[host]
}

// trip returns the error of a fault that meets the operation, and uses it up.
func (w *World) trip(urn resource.URN, kind string, op Operation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, f := range w.faults {
		if f.op == op && matches(f.pattern, kind, urn) {
			w.faults = slices.Delete(w.faults, i, i+1)
			return f.err
		}
	}
	return nil
}

// find returns an object by type and ID. The mutex must be held.
func (w *World) find(kind string, id resource.ID) *Object {
	for _, o := range w.objects {
		if o.Type == kind && o.ID == id {
			return o
		}
	}
	return nil
}

// locate returns the object of an operation: the one of that type and ID and,
// where an ID is unique on one machine only, on the machine that the operation
// reaches. The mutex must be held.
func (w *World) locate(kind *Resource, c *Call) *Object {
	if !kind.PerMachine {
		return w.find(kind.Token, c.ID)
	}
	place := w.place(kind, c)
	for _, o := range w.objects {
		if o.Type == kind.Token && o.ID == c.ID && o.Machine == place {
			return o
		}
	}
	return nil
}

// place returns the machine that an operation's object lives on: the ID of a
// simulated machine, or else the first address. The mutex must be held.
func (w *World) place(kind *Resource, c *Call) resource.ID {
	if kind.On == nil {
		return ""
	}
	addresses := kind.On(c)
	for _, address := range addresses {
		if m := w.machine(address); m != nil {
			return m.ID
		}
	}
	if len(addresses) > 0 {
		return resource.ID(addresses[0])
	}
	return ""
}

// claim reserves what an object needs for itself alone, or returns the error of
// a claim that another object has. The mutex must be held.
func (w *World) claim(o *Object, claims []Claim) error {
	for _, c := range claims {
		for _, other := range slices.Clone(w.objects) {
			at := slices.IndexFunc(other.claims, func(held Claim) bool { return held.Key == c.Key })
			if other == o || at < 0 {
				continue
			}
			if c.Adopts == "" || c.Adopts != other.claims[at].Adopts {
				return c.Taken
			}
			w.remove(other)
		}
	}
	o.claims = claims
	return nil
}

// remove removes an object and, if it is a machine, the objects on it. The mutex
// must be held.
func (w *World) remove(gone *Object) {
	w.objects = slices.DeleteFunc(w.objects, func(o *Object) bool {
		return o == gone || (gone.kind.Machine && o.Machine == gone.ID)
	})
	if gone.kind.Machine {
		delete(w.dead, string(gone.ID))
		for _, address := range gone.kind.Addresses(gone) {
			if w.machine(address) == nil {
				w.departed[address] = true
			}
		}
	}
}

// serial returns the next of the numbers from which addresses are made.
func (w *World) serial() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return w.next
}

// elapse waits for the given time of reality.
func (w *World) elapse(ctx context.Context, d time.Duration) error {
	d = time.Duration(float64(d) * w.scale)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("simulated operation interrupted: %w", context.Cause(ctx))
	}
}

// record keeps a change.
func (w *World) record(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

// glob compiles a pattern in which * stands for any text.
func glob(pattern string) *regexp.Regexp {
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$")
}

// matches says whether a pattern fits a resource's type, name or URN.
func matches(pattern *regexp.Regexp, kind string, urn resource.URN) bool {
	name := ""
	if urn != "" {
		name = urn.Name()
	}
	return pattern.MatchString(kind) || pattern.MatchString(name) || pattern.MatchString(string(urn))
}

// MaxParallel returns the largest number of changes that were under way at the same time. With a time scale of 0 it means
// little.
func MaxParallel(records []Record) int {
	most := 0
	for _, r := range records {
		// The number is largest at the start of some change.
		underWay := 0
		for _, other := range records {
			if !other.Start.After(r.Start) && other.End.After(r.Start) {
				underWay++
			}
		}
		most = max(most, underWay)
	}
	return most
}

// errNotFound is what an operation on an object that is not there fails with.
var errNotFound = errors.New("not found")
