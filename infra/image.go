package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// canonical is the AWS account that publishes Ubuntu's images (Ubuntu's documentation on EC2 images).
const canonical = "099720109477"

// machineImage returns the AMI of new machines: the one in the settings, or Canonical's newest Ubuntu 22.04.
func (c *cloud) machineImage(ctx *pulumi.Context) (string, error) {
	if c.settings.AWS.AMI != "" {
		return c.settings.AWS.AMI, nil
	}
	pattern := fmt.Sprintf("ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-%s-server-*", c.settings.Architecture)
	newest, err := ec2.LookupAmi(ctx, &ec2.LookupAmiArgs{
		Owners:     []string{canonical},
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
