package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// canonical returns the AWS account that publishes Ubuntu's images in a region's partition (Ubuntu's documentation on EC2 images). It
// names none for the partitions beside these three. There the look-up fails, and the stack needs the setting ami.
func canonical(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "837727238323"
	case strings.HasPrefix(region, "us-gov-"):
		return "513442679011"
	default:
		return "099720109477"
	}
}

// machineImage returns the AMI of new machines: the one in the settings, or Canonical's newest Ubuntu 22.04.
func (c *cloud) machineImage(ctx *pulumi.Context) (string, error) {
	if c.settings.AWS.AMI != "" {
		return c.settings.AWS.AMI, nil
	}
	pattern := fmt.Sprintf("ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-%s-server-*", c.settings.Architecture)
	newest, err := ec2.LookupAmi(ctx, &ec2.LookupAmiArgs{
		Owners:     []string{canonical(c.settings.AWS.Region)},
		MostRecent: new(true),
		Filters: []ec2.GetAmiFilter{
			{Name: "name", Values: []string{pattern}},
			{Name: "virtualization-type", Values: []string{"hvm"}},
		},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return "", fmt.Errorf("looking up Canonical's Ubuntu 22.04 in %s: %w (or set ami)", c.settings.AWS.Region, err)
	}
	return newest.Id, nil
}
