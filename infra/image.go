package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
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

// ubuntu returns the release of Ubuntu that new machines run: its number and its name. Docker's repository has the walk-through's engine for
// 22.04 and not for 24.04.
func ubuntu(cluster settings.Cluster) (number, name string) {
	if cluster == settings.Standalone {
		return "22.04", "hvm-ssd/ubuntu-jammy-22.04"
	}
	return "24.04", "hvm-ssd-gp3/ubuntu-noble-24.04"
}

// machineImage returns the AMI of new machines: the one in the settings, or Canonical's newest Ubuntu.
func (c *cloud) machineImage(ctx *pulumi.Context) (string, error) {
	if c.settings.AWS.AMI != "" {
		return c.settings.AWS.AMI, nil
	}
	number, name := ubuntu(c.settings.Cluster)
	pattern := fmt.Sprintf("ubuntu/images/%s-%s-server-*", name, c.settings.Architecture)
	newest, err := ec2.LookupAmi(ctx, &ec2.LookupAmiArgs{
		Owners:     []string{canonical(c.settings.AWS.Region)},
		MostRecent: new(true),
		Filters: []ec2.GetAmiFilter{
			{Name: "name", Values: []string{pattern}},
			{Name: "virtualization-type", Values: []string{"hvm"}},
		},
	}, pulumi.Provider(c.provider))
	if err != nil {
		return "", fmt.Errorf("looking up Canonical's Ubuntu %s in %s: %w (or set ami)", number, c.settings.AWS.Region, err)
	}
	return newest.Id, nil
}
