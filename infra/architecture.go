package infra

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// awsArchitectures maps Go's name of an architecture to AWS's.
var awsArchitectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// checkMachines asks AWS whether the instance types and the AMI of the settings have the architecture that the programs are built for, and
// the types as much memory as the workloads of their nodes may use, in MiB. The settings know a type only by its name. The error joins a
// fault for each that has not, or that AWS does not know.
func (c *cloud) checkMachines(ctx *pulumi.Context, memory map[topology.Role]int) error {
	var faults []error
	architecture := awsArchitectures[c.settings.Architecture]
	types := map[string]*ec2.GetInstanceTypeResult{} // nil: AWS does not know it
	for _, spec := range topology.Roles() {
		kind, ok := c.settings.AWS.InstanceTypes[spec.Role]
		if !ok {
			continue // there are no such nodes
		}
		key := settings.InstanceTypeKeys()[spec.Role]
		described, asked := types[kind]
		if !asked {
			var err error
			described, err = ec2.GetInstanceType(ctx, &ec2.GetInstanceTypeArgs{InstanceType: kind}, pulumi.Provider(c.provider))
			switch {
			case err != nil:
				described = nil
				faults = append(faults, fmt.Errorf("looking up %s, the %s, in %s: %w", kind, key, c.settings.AWS.Region, err))
			case !slices.Contains(described.SupportedArchitectures, architecture):
				faults = append(faults, settings.Fault{Key: key, Value: kind, Kind: settings.Conflict,
					Problem: fmt.Sprintf("has the architecture %q", described.SupportedArchitectures),
					Remedy:  "choose a type of " + architecture + ", for which the programs are built"})
			}
			types[kind] = described
		}
		if need := memory[spec.Role]; described != nil && described.MemorySize < need {
			faults = append(faults, settings.Fault{Key: key, Value: kind, Kind: settings.Conflict,
				Problem: fmt.Sprintf("has %d MiB of memory, and what runs on it may use %d MiB", described.MemorySize, need),
				Remedy:  "choose a type with more memory"})
		}
	}
	if ami := c.settings.AWS.AMI; ami != "" {
		described, err := ec2.LookupAmi(ctx, &ec2.LookupAmiArgs{
			Filters: []ec2.GetAmiFilter{{Name: "image-id", Values: []string{ami}}},
			// AWS deprecates a public image after two years. Machines can still be made from it.
			IncludeDeprecated: new(true),
		}, pulumi.Provider(c.provider))
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("looking up the ami %s in %s: %w", ami, c.settings.AWS.Region, err))
		case described.Architecture != architecture:
			faults = append(faults, settings.Fault{Key: "ami", Value: ami, Kind: settings.Conflict,
				Problem: "is for " + described.Architecture + ", and the instance types are " + architecture,
				Remedy:  "name an image for " + architecture + ", or leave it out for the newest Ubuntu 22.04"})
		}
	}
	return errors.Join(faults...)
}
