package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// availabilityZone is the first zone of the region, by name, that is open to the account and offers every instance type
// that the settings ask for.
func (c *cloud) availabilityZone(ctx *pulumi.Context) (string, error) {
	var types []string
	for _, node := range c.settings.Nodes {
		types = append(types, c.settings.AWS.InstanceTypes[node.Role])
	}
	slices.Sort(types)
	types = slices.Compact(types)

	available, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		State: pulumi.StringRef("available"),
		// Local and wavelength zones are zones, too, but not ones that a VPC's ordinary subnet can be in.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return "", fmt.Errorf("listing the availability zones of %s: %w", c.settings.AWS.Region, err)
	}
	offered, err := ec2.GetInstanceTypeOfferings(ctx, &ec2.GetInstanceTypeOfferingsArgs{
		LocationType: pulumi.StringRef("availability-zone"),
		Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: types}},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return "", fmt.Errorf("listing where %s are offered in %s: %w", strings.Join(types, ", "), c.settings.AWS.Region, err)
	}
	offers := map[string][]string{}
	for i, zone := range offered.Locations {
		offers[zone] = append(offers[zone], offered.InstanceTypes[i])
	}
	return commonZone(c.settings.AWS.Region, types, available.Names, offers)
}

// commonZone is the first of the available zones, by name, in which all types are on offer. offers has the types on offer
// by zone. The error says what each zone lacks.
func commonZone(region string, types, available []string, offers map[string][]string) (string, error) {
	var lacks []string
	for _, zone := range slices.Sorted(slices.Values(available)) {
		missing := slices.DeleteFunc(slices.Clone(types), func(kind string) bool { return slices.Contains(offers[zone], kind) })
		if len(missing) == 0 {
			return zone, nil
		}
		lacks = append(lacks, fmt.Sprintf("%s lacks %s", zone, strings.Join(missing, ", ")))
	}
	if len(lacks) == 0 {
		return "", fmt.Errorf("region %s has no availability zone that is open to this account: set region to another one", region)
	}
	return "", fmt.Errorf("no availability zone of %s offers every instance type that the settings ask for (%s): set another instance type or region",
		region, strings.Join(lacks, "; "))
}
