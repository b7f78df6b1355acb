package harness_test

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// shape says what the tests' program deploys.
type shape struct {
	// machines is the number of machines, each with a container.
	machines int
	// ami is the machine image of all of them.
	ami string
	// version is the tag of the containers' image.
	version string
	// follow says how what lives on a machine is tied to it: "replaceWith",
	// "trigger" or "marker".
	follow string
	// blind has the docker provider look at no machine during a preview.
	blind bool
}

// small returns a program with each kind of thing a real one has: a network,
// machines with fixed addresses, a host key made locally, a command on each
// machine, a docker provider for each, and a container with a secret.
func small(s shape) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		password := config.New(ctx, "").RequireSecret("password")
		cloud, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{Region: pulumi.String("us-west-1")})
		if err != nil {
			return err
		}
		in := pulumi.Provider(cloud)
		vpc, err := ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{CidrBlock: pulumi.String("192.168.0.0/16")}, in)
		if err != nil {
			return err
		}
		subnet, err := ec2.NewSubnet(ctx, "subnet", &ec2.SubnetArgs{
			VpcId: vpc.ID(), CidrBlock: pulumi.String("192.168.33.0/24"), MapPublicIpOnLaunch: pulumi.Bool(true),
		}, in)
		if err != nil {
			return err
		}
		addresses := pulumi.StringMap{}
		for i := range s.machines {
			name := fmt.Sprintf("node%02d", i+1)
			machine, err := ec2.NewInstance(ctx, name, &ec2.InstanceArgs{
				Ami: pulumi.String(s.ami), InstanceType: pulumi.String("t2.micro"), SubnetId: subnet.ID(),
				PrivateIp: pulumi.Sprintf("192.168.33.%d", 20+i), Tags: pulumi.StringMap{"Name": pulumi.String(name)},
			}, in, pulumi.DeleteBeforeReplace(true))
			if err != nil {
				return err
			}
			addresses[name] = machine.PublicIp

			key, err := local.NewCommand(ctx, name+"-key", &local.CommandArgs{
				Create: pulumi.String("ssh-keygen -t ed25519"),
			}, pulumi.AdditionalSecretOutputs([]string{"stdout"}))
			if err != nil {
				return err
			}
			// It is replaced when the machine is, and deleted after all creations.
			marker, err := local.NewCommand(ctx, name+"-marker", &local.CommandArgs{},
				pulumi.ReplacementTrigger(machine.ID()))
			if err != nil {
				return err
			}
			follow := func(more ...pulumi.ResourceOption) []pulumi.ResourceOption {
				switch s.follow {
				case "replaceWith":
					return append(more, pulumi.DeletedWith(machine), pulumi.ReplaceWith([]pulumi.Resource{machine}))
				case "trigger":
					return append(more, pulumi.DeletedWith(machine), pulumi.ReplacementTrigger(machine.ID()))
				case "marker":
					return append(more, pulumi.DeletedWith(marker), pulumi.ReplacementTrigger(machine.ID()))
				}
				return more
			}
			ready, err := remote.NewCommand(ctx, name+"-ready", &remote.CommandArgs{
				Connection: remote.ConnectionArgs{Host: machine.PublicIp, User: pulumi.String("ubuntu")},
				Create:     pulumi.String("uname -r"), Delete: pulumi.String("true"), Stdin: key.Stdout,
			}, follow()...)
			if err != nil {
				return err
			}
			host, err := docker.NewProvider(ctx, name+"-docker", &docker.ProviderArgs{
				Host:                     pulumi.Sprintf("ssh://ubuntu@%s", machine.PublicIp),
				DisableDockerDaemonCheck: pulumi.Bool(s.blind),
			}, pulumi.DependsOn([]pulumi.Resource{ready}))
			if err != nil {
				return err
			}
			image, err := docker.NewRemoteImage(ctx, name+"-redis", &docker.RemoteImageArgs{
				Name: pulumi.String("redis:" + s.version),
			}, follow(pulumi.Provider(host))...)
			if err != nil {
				return err
			}
			_, err = docker.NewContainer(ctx, name+"-container", &docker.ContainerArgs{
				Name: pulumi.String("redis"), Image: image.ImageId,
				Envs: pulumi.StringArray{pulumi.Sprintf("PASSWORD=%s", password)},
			}, follow(pulumi.Provider(host))...)
			if err != nil {
				return err
			}
		}
		ctx.Export("addresses", addresses)
		ctx.Export("password", password)
		return nil
	}
}
