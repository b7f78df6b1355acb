package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// availabilityZone returns the region's first zone, by name, that is available to the account and offers every instance type of
// the settings.
func (c *cloud) availabilityZone(ctx *pulumi.Context) (string, error) {
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
		return "", fmt.Errorf("listing the availability zones of %s: %w", c.settings.AWS.Region, err)
	}
	offered, err := ec2.GetInstanceTypeOfferings(ctx, &ec2.GetInstanceTypeOfferingsArgs{
		LocationType: new("availability-zone"),
		Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: types}},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return "", fmt.Errorf("listing which zones offer %s in %s: %w", strings.Join(types, ", "), c.settings.AWS.Region, err)
	}
	offers := map[string][]string{}
	for i, zone := range offered.Locations {
		offers[zone] = append(offers[zone], offered.InstanceTypes[i])
	}
	return commonZone(c.settings.AWS.Region, types, available.Names, offers)
}

// commonZone returns the first available zone, by name, that offers all types. offers maps a zone to the types that it offers.
// The error says what each zone lacks.
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
		return "", fmt.Errorf("region %s has no availability zone that is open to this account: set another region", region)
	}
	return "", fmt.Errorf("no availability zone of %s offers every instance type that the settings ask for (%s): set another instance type or region",
		region, strings.Join(lacks, "; "))
}
