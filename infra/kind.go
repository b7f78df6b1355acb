package infra

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// Where the kind of cluster stands: in a tag of the VPC, and in the script that keeps a node's packet filter. All else on AWS waits for the
// VPC, and all other scripts for the packet filters.
const (
	kindTag      = "Cluster"
	kindVariable = "CLUSTER"
)

var formerKind = regexp.MustCompile(`(?m)^export ` + kindVariable + `=(.*)$`)

// keepKind returns a hook that refuses another kind of cluster where there is one, before anything changes. It would have other engines, names
// and networks, and the votes in its queues would have to move. A preview says so, too.
func keepKind(ctx *pulumi.Context, kind settings.Cluster) (*pulumi.ResourceHookBinding, error) {
	hook, err := ctx.RegisterResourceHook("keep-kind", func(arguments *pulumi.ResourceHookArgs) error {
		former := kindOf(resource.FromResourcePropertyMap(arguments.OldInputs))
		if former == kind {
			return nil
		}
		return fmt.Errorf("the stack has a cluster of the kind %s, and a stack that runs keeps its kind: set it back (pulumi config set cluster %s), "+
			"or run pulumi destroy with that setting before", former, former)
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, err
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}, nil
}

// kindOf returns the kind of cluster that stands in a VPC's or a packet filter's inputs.
func kindOf(inputs property.Map) settings.Cluster {
	if tags := inputs.Get("tags"); tags.IsMap() && tags.AsMap().Get(kindTag).IsString() {
		return settings.Cluster(tags.AsMap().Get(kindTag).AsString())
	}
	if script := inputs.Get("stdin"); script.IsString() {
		if found := formerKind.FindStringSubmatch(script.AsString()); found != nil {
			return settings.Cluster(found[1])
		}
	}
	return settings.Standalone // of a version that knew no other
}
