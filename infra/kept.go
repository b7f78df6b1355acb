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
	key      string // of the setting
	value    string
	earlier  string // its value in a stack of a version that did not know the setting
	tag      string // of the VPC
	variable string // of the script
	refusal  string // why another value is refused; has a %s for the value that stands
	// becomes reports whether a stack with that value may get this one. The inputs have what else it keeps. nil: it may not.
	becomes func(former string, inputs property.Map) bool
}

// keptKind is the kind of cluster. Another one would have other engines, names and networks, and the votes in its queues would have to move.
func keptKind(s settings.Settings) kept {
	return kept{
		key: "cluster", value: string(s.Cluster), earlier: string(settings.Standalone), tag: "Cluster", variable: "CLUSTER",
		refusal: "the stack has a cluster of the kind %s, and a stack that runs keeps its kind",
	}
}

// keptZones is the number of zones. With another one, nodes on AWS would be in other zones: other machines, at other addresses, on other disks.
// Machines that exist stay where they are. But others of them would manage the swarm, and with several stores two members of etcd would move
// at once, and most of what they know be lost.
func keptZones(s settings.Settings) kept {
	zones := kept{
		key: "zones", value: strconv.Itoa(s.Zones), earlier: "1", tag: "Zones", variable: "ZONES",
		refusal: "the stack has zones %s, and a stack that runs keeps them: a node in another zone would be another machine, without its disk and the votes there",
	}
	if s.Platform == settings.Hosts {
		zones.refusal = "the stack has zones %s, and with several stores it keeps them: two members of etcd would move at once"
		// Without several stores there is no etcd yet.
		zones.becomes = func(_ string, inputs property.Map) bool { return keptStores(s).in(inputs) == "1" }
	}
	return zones
}

// keptStores is that there are several stores. Only Patroni knows which of them has all votes.
func keptStores(s settings.Settings) kept {
	return kept{
		key: "stores", value: strconv.Itoa(s.Stores()), earlier: "1", tag: "Stores", variable: "STORES",
		refusal: "the stack has %s stores, and a stack that has several keeps at least 2",
		becomes: func(former string, _ property.Map) bool { return former == "1" || s.Stores() > 1 },
	}
}

// allKept are the settings that a stack keeps.
func allKept(s settings.Settings) []kept { return []kept{keptKind(s), keptZones(s), keptStores(s)} }

// keep returns a hook that refuses other values of the settings than stand in a resource. A preview says so, too.
func keep(ctx *pulumi.Context, name string, all []kept) (*pulumi.ResourceHookBinding, error) {
	hook, err := ctx.RegisterResourceHook("keep-"+name, func(arguments *pulumi.ResourceHookArgs) error {
		var refusals []error
		for _, setting := range all {
			inputs := resource.FromResourcePropertyMap(arguments.OldInputs)
			former := setting.in(inputs)
			if former != setting.value && (setting.becomes == nil || !setting.becomes(former, inputs)) {
				refusals = append(refusals, fmt.Errorf(setting.refusal+": set it back (pulumi config set %s %s), or run pulumi destroy with that setting before",
					former, setting.key, former))
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
