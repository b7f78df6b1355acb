package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/simulation"
)

// Chain is how long a deployment takes one step after another, and at best, when
// only steps that need each other wait.
type Chain struct {
	// Sum is the time of all steps one after another.
	Sum time.Duration
	// Longest is the time of the longest chain of steps that wait for each
	// other. No number of parallel operations makes the whole shorter.
	Longest time.Duration
	// Steps are that chain, first to last.
	Steps []Link
}

// Link is one step of a chain.
type Link struct {
	// Name and Type are the resource's.
	Name, Type string
	// Took is the time it would take in reality.
	Took time.Duration
}

// String returns the chain as lines of time and name.
func (c Chain) String() string {
	var text strings.Builder
	for _, link := range c.Steps {
		fmt.Fprintf(&text, "%8s  %s (%s)\n", link.Took, link.Name, link.Type)
	}
	return text.String()
}

// LongestChain returns the longest chain of a state's resources, each weighed
// with the recorded time that its creation takes in reality. A resource waits
// for its dependencies, its provider, its parent, and the resources that it is
// deleted with or replaced with.
func LongestChain(state *apitype.DeploymentV3, records []simulation.Record) Chain {
	took := map[resource.URN]time.Duration{}
	for _, r := range records {
		if r.Op == simulation.Create && r.Err == nil {
			took[r.URN] = r.Took
		}
	}
	return longestChain(state, took)
}

// LongestChainOfSteps is LongestChain by the time that the Pulumi engine's steps
// of one operation took here.
func LongestChainOfSteps(state *apitype.DeploymentV3, steps []Step) Chain {
	took := map[resource.URN]time.Duration{}
	for _, step := range steps {
		if !step.Failed && step.Op != apitype.OpSame {
			took[resource.URN(step.URN)] += step.End.Sub(step.Start)
		}
	}
	for _, r := range state.Resources {
		if !r.Custom { // a component's step lasts as long as the program takes to describe it
			delete(took, r.URN)
		}
	}
	return longestChain(state, took)
}

func longestChain(state *apitype.DeploymentV3, took map[resource.URN]time.Duration) Chain {
	resources := map[resource.URN]*apitype.ResourceV3{}
	for i := range state.Resources {
		resources[state.Resources[i].URN] = &state.Resources[i]
	}

	type best struct {
		total time.Duration
		via   resource.URN
	}
	found := map[resource.URN]best{}
	var longest func(urn resource.URN) time.Duration
	longest = func(urn resource.URN) time.Duration {
		if known, ok := found[urn]; ok {
			return known.total
		}
		found[urn] = best{} // A state has no cycles; this ends one all the same.
		r, ok := resources[urn]
		if !ok {
			return 0
		}
		var ahead best
		for _, before := range prerequisites(r) {
			if total := longest(before); total > ahead.total {
				ahead = best{total, before}
			}
		}
		ahead.total += took[urn]
		found[urn] = ahead
		return ahead.total
	}

	var chain Chain
	var last resource.URN
	for urn := range resources {
		chain.Sum += took[urn]
		if total := longest(urn); total > chain.Longest || total == chain.Longest && urn < last {
			chain.Longest, last = total, urn
		}
	}
	for urn := last; urn != ""; urn = found[urn].via {
		if took[urn] > 0 {
			chain.Steps = append(chain.Steps, Link{Name: urn.Name(), Type: string(urn.Type()), Took: took[urn]})
		}
	}
	slices.Reverse(chain.Steps)
	return chain
}

// prerequisites lists what must exist before a resource can be created.
func prerequisites(r *apitype.ResourceV3) []resource.URN {
	before := slices.Clone(r.Dependencies)
	for _, urns := range r.PropertyDependencies {
		before = append(before, urns...)
	}
	if at := strings.LastIndex(r.Provider, "::"); at >= 0 {
		before = append(before, resource.URN(r.Provider[:at]))
	}
	if r.Parent != "" {
		before = append(before, r.Parent)
	}
	if r.DeletedWith != "" {
		before = append(before, r.DeletedWith)
	}
	return append(before, r.ReplaceWith...)
}
