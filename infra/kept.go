package infra

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// kept is a setting that a stack which runs keeps. Its value stands in a resource that everything else waits for, so that another one is
// refused before anything changes: on AWS in a tag of the VPC, elsewhere in the script that keeps a node's packet filter.
type kept struct {
	value    string
	earlier  string // its value in a stack of a version that did not know the setting
	tag      string // of the VPC
	variable string // of the script
	// refusal returns why a stack with that value does not get this one, and how to set it back. The inputs have what else it keeps. Empty: it
	// gets it.
	refusal func(former string, inputs property.Map) string
	// silent keeps the earlier value from being written, so that a stack that has it sees no change.
	silent bool
}

// setBack is how a setting gets its former value again.
func setBack(key, former string) string {
	return fmt.Sprintf("set it back (pulumi config set %s %s), or run pulumi destroy with that setting before", key, former)
}

// keptKind is the kind of cluster. Another one would have other engines, names and networks, and the votes in its queues would have to move.
func keptKind(s settings.Settings) kept {
	return kept{
		value: string(s.Cluster), earlier: string(settings.Standalone), tag: "Cluster", variable: "CLUSTER",
		refusal: func(former string, _ property.Map) string {
			return "the stack has a cluster of the kind " + former + ", and a stack that runs keeps its kind: " + setBack("cluster", former)
		},
	}
}

// keptZones is the number of zones. With another one, nodes on AWS would be in other zones: other machines, at other addresses, on other disks.
// Machines that exist stay where they are. But others of them would manage the swarm, and with several stores two members of etcd would move
// at once, and most of what they know be lost.
func keptZones(s settings.Settings) kept {
	return kept{
		value: strconv.Itoa(s.Zones), earlier: "1", tag: "Zones", variable: "ZONES",
		refusal: func(former string, inputs property.Map) string {
			switch {
			case s.Platform != settings.Hosts:
				return "the stack has zones " + former + ", and a stack that runs keeps them: a node in another zone would be another machine, without its disk and the votes there: " + setBack("zones", former)
			case severalStores(keptStores(s).in(inputs)): // otherwise there is no etcd yet
				return "the stack has zones " + former + ", and with several stores it keeps them: two members of etcd would move at once: " + setBack("zones", former)
			}
			return ""
		},
	}
}

// severalStores reports whether a stack with so many stores has several.
func severalStores(kept string) bool { return kept != noStores && kept != "1" }

// noStores is the number of stores of a stack whose database somebody else keeps.
const noStores = "0"

// keptStores is that there are several stores, or that there are any. Only Patroni knows which of several has all votes. And votes do not move
// by themselves between the stack's stores and a database that somebody else keeps: those in the former one would be missing in the results.
func keptStores(s settings.Settings) kept {
	return kept{
		value: strconv.Itoa(s.Stores()), earlier: "1", tag: "Stores", variable: "STORES",
		refusal: func(former string, _ property.Map) string {
			switch {
			case former == noStores:
				return "the stack's votes are in the database of postgresUrl, and would be missing in the results: set postgresUrl again, or move the votes (docs/operations.md)"
			case !s.HasStores():
				return "the stack's votes are on its own stores, and would be missing in the results: leave postgresUrl out (pulumi config rm postgresUrl), or move the votes (docs/operations.md)"
			case severalStores(former) && s.Stores() == 1:
				return "the stack has " + former + " stores, and a stack that has several keeps at least 2: " + setBack("stores", former)
			}
			return ""
		},
	}
}

// keptManagers is that the walk-through's cluster has several managers. Each has a server of Consul. If two of three left at once, the last
// one would have no majority, and take no orders.
func keptManagers(s settings.Settings) kept {
	managers := kept{
		value: "1", earlier: "1", tag: "Managers", variable: "MANAGERS", silent: true,
		refusal: func(former string, _ property.Map) string {
			if former == "1" {
				return ""
			}
			return "the stack has " + former + " managers, and in a cluster of the kind " + string(settings.Standalone) +
				" it keeps them: Consul's servers are on them, and without most of these nothing can be changed: " + setBack("managers", former)
		},
	}
	if s.Cluster == settings.Standalone {
		managers.value = strconv.Itoa(len(s.Managers))
	}
	return managers
}

// allKept are the settings that a stack keeps.
func allKept(s settings.Settings) []kept {
	return []kept{keptKind(s), keptZones(s), keptStores(s), keptManagers(s)}
}

// written reports whether the value stands in the resources.
func (k kept) written() bool { return !k.silent || k.value != k.earlier }

// keep returns a hook that refuses other values of the settings than stand in a resource. A preview says so, too.
func keep(ctx *pulumi.Context, name string, all []kept) (*pulumi.ResourceHookBinding, error) {
	hook, err := ctx.RegisterResourceHook("keep-"+name, func(arguments *pulumi.ResourceHookArgs) error {
		var refusals []error
		for _, setting := range all {
			inputs := resource.FromResourcePropertyMap(arguments.OldInputs)
			former := setting.in(inputs)
			if former == setting.value {
				continue
			}
			if refusal := setting.refusal(former, inputs); refusal != "" {
				refusals = append(refusals, errors.New(refusal))
			}
		}
		return errors.Join(refusals...)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, err
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}, nil
}

// in returns the value that stands in a VPC's or a packet filter's inputs.
func (k kept) in(inputs property.Map) string {
	if tags := inputs.Get("tags"); tags.IsMap() && tags.AsMap().Get(k.tag).IsString() {
		return tags.AsMap().Get(k.tag).AsString()
	}
	if script := inputs.Get("stdin"); script.IsString() {
		if found := regexp.MustCompile(`(?m)^export ` + k.variable + `=(.*)$`).FindStringSubmatch(script.AsString()); found != nil {
			return found[1]
		}
	}
	return k.earlier
}
