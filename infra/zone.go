package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// availabilityZones returns as many of the region's zones as the settings ask for: the first ones, by name, that are available to the
// account and offer every instance type of the settings.
func (c *cloud) availabilityZones(ctx *pulumi.Context) ([]string, error) {
	var types []string
	for _, node := range c.settings.Nodes {
		types = append(types, c.settings.AWS.InstanceTypes[node.Role])
	}
	slices.Sort(types)
	types = slices.Compact(types)

	available, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		State: new("available"),
		// Leave out local and wavelength zones. An ordinary subnet cannot be in one.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return nil, fmt.Errorf("listing the availability zones of %s: %w", c.settings.AWS.Region, err)
	}
	offered, err := ec2.GetInstanceTypeOfferings(ctx, &ec2.GetInstanceTypeOfferingsArgs{
		LocationType: new("availability-zone"),
		Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: types}},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return nil, fmt.Errorf("listing which zones offer %s in %s: %w", strings.Join(types, ", "), c.settings.AWS.Region, err)
	}
	offers := map[string][]string{}
	for i, zone := range offered.Locations {
		offers[zone] = append(offers[zone], offered.InstanceTypes[i])
	}
	return commonZones(c.settings.AWS.Region, types, available.Names, offers, c.settings.Zones)
}

// commonZones returns the first available zones, by name, that offer all types. offers maps a zone to the types that it offers. The error
// says what each other zone lacks.
func commonZones(region string, types, available []string, offers map[string][]string, count int) ([]string, error) {
	var zones, lacks []string
	for _, zone := range slices.Sorted(slices.Values(available)) {
		missing := slices.DeleteFunc(slices.Clone(types), func(kind string) bool { return slices.Contains(offers[zone], kind) })
		if len(missing) > 0 {
			lacks = append(lacks, fmt.Sprintf("%s lacks %s", zone, strings.Join(missing, ", ")))
			continue
		}
		if zones = append(zones, zone); len(zones) == count {
			return zones, nil
		}
	}
	switch {
	case len(available) == 0:
		return nil, fmt.Errorf("region %s has no availability zone that is open to this account: set another region", region)
	case len(available) < count:
		return nil, fmt.Errorf("the setting zones is %d, and region %s has %d availability zones that are open to this account: set another region, such as us-west-2, or zones to 1",
			count, region, len(available))
	case len(zones) == 0:
		return nil, fmt.Errorf("no availability zone of %s offers every instance type that the settings ask for (%s): set another instance type or region",
			region, strings.Join(lacks, "; "))
	}
	return nil, fmt.Errorf("the setting zones is %d, and %d availability zones of %s offer every instance type that the settings ask for (%s): set another instance type or region, or zones to 1",
		count, len(zones), region, strings.Join(lacks, "; "))
}
