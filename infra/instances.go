package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// instances makes a machine for every node of the plan.
func (c *cloud) instances(ctx *pulumi.Context, network *network, groups *securityGroups) ([]*Node, error) {
	image, err := c.machineImage(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []*Node
	for _, planned := range c.settings.Nodes {
		node, err := c.instance(ctx, planned, image, network, groups)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func (c *cloud) instance(ctx *pulumi.Context, planned topology.Node, image string, network *network, groups *securityGroups) (*Node, error) {
	// Not before the network, which says whether there may be another machine.
	key, err := newHostKey(ctx, planned.Name, pulumi.Provider(c.commands), c.parent, pulumi.DependsOn([]pulumi.Resource{network.vpc}))
	if err != nil {
		return nil, err
	}
	disk, err := c.newDisk(ctx, planned, network)
	if err != nil {
		return nil, err
	}
	needs := []pulumi.Resource{network.gateway} // a gateway cannot be deleted while addresses are mapped through it
	if disk != nil {
		needs = append(needs, disk.volume) // nor a disk while it is attached
	}
	// User data takes effect at the first boot only. A later change would restart the machine for nothing.
	fixed := []string{"userDataBase64"}
	if c.settings.AWS.AMI == "" {
		// A newer image is for new machines. It never replaces a running one.
		fixed = append(fixed, "ami")
	}
	machine, err := ec2.NewInstance(ctx, planned.Name, &ec2.InstanceArgs{
		Ami:                      pulumi.String(image),
		InstanceType:             pulumi.String(c.settings.AWS.InstanceTypes[planned.Role]),
		KeyName:                  pulumi.String(c.settings.AWS.KeyPair),
		SubnetId:                 network.of(planned).ID(),
		PrivateIp:                pulumi.String(planned.Address.String()),
		AssociatePublicIpAddress: pulumi.Bool(true),
		DisableApiTermination:    pulumi.Bool(c.settings.AWS.TerminationProtection),
		VpcSecurityGroupIds:      groups.of(planned.Role),
		UserDataBase64: pulumi.All(key.private, key.public).ApplyT(func(parts []any) (string, error) {
			return userData(planned.Name, parts[0].(string), parts[1].(string))
		}).(pulumi.StringOutput).ToStringPtrOutput(),
		MetadataOptions: &ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"),
			HttpTokens:   pulumi.String("required"), // IMDSv2 only
			// Containers are a hop further away, so they cannot read the user data, which has the host key.
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: &ec2.InstanceRootBlockDeviceArgs{
			Encrypted:  pulumi.Bool(true),
			VolumeType: pulumi.String("gp3"),
			VolumeSize: pulumi.Int(c.settings.AWS.DiskSize),
			Tags:       c.tags(planned.Name),
		},
		Tags: c.tags(planned.Name),
	}, c.own(
		// Its private address is fixed, and two machines cannot have it.
		pulumi.DeleteBeforeReplace(true),
		pulumi.IgnoreChanges(fixed),
		pulumi.DependsOn(needs),
		pulumi.Protect(c.settings.AWS.TerminationProtection),
	)...)
	if err != nil {
		return nil, err
	}
	node := &Node{
		Node:          planned,
		PublicAddress: machine.PublicIp,
		HostKey:       key.public,
		Identity:      machine.ID().ToStringOutput(),
		Machine:       machine,
		Reachable:     []pulumi.Resource{network.of(planned).route},
		dials:         dialsOfNewMachine,
		user:          c.settings.SSH.User,
		port:          sshPort,
		privateKey:    c.settings.SSH.PrivateKey,
		keyFile:       c.settings.SSH.PrivateKeyFile,
		commands:      c.commands,
	}
	if disk != nil {
		node.Disk = disk
		if err := c.attach(ctx, node); err != nil {
			return nil, err
		}
	}
	return node, node.newPresence(ctx, &local.CommandArgs{}, c.parent)
}
