package infra

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/topology"
)

// diskDevice is the name under which a data disk is attached. AWS recommends /dev/sdf to /dev/sdp (EBS user guide, "Device names").
const diskDevice = "/dev/sdf"

// Disk is a disk for a node's data. It outlives the machine: the next machine with the node's name gets it.
type Disk struct {
	ID      pulumi.StringOutput // of the EBS volume: vol-0123456789abcdef0
	Devices pulumi.StringOutput // the names that its device may have on the machine, separated by spaces
	Size    int                 // GiB

	volume *ebs.Volume
}

// newDisk makes the disk of a node whose role keeps data. It returns nil for other nodes.
func (c *cloud) newDisk(ctx *pulumi.Context, node topology.Node, network *network) (*Disk, error) {
	if !slices.Contains(c.keepsData, node.Role) {
		return nil, nil
	}
	volume, err := ebs.NewVolume(ctx, node.Name+"-disk", &ebs.VolumeArgs{
		AvailabilityZone: network.of(node).AvailabilityZone,
		Size:             pulumi.Int(c.settings.AWS.DataDiskSize),
		Type:             pulumi.String("gp3"),
		Encrypted:        pulumi.Bool(true),
		Tags:             c.tags(node.Name + "-disk"),
	}, c.own(pulumi.Protect(c.settings.AWS.TerminationProtection))...)
	if err != nil {
		return nil, err
	}
	id := volume.ID().ToStringOutput()
	// Machines of the Nitro system name the device by its ID, older ones by the letter under which it is attached.
	devices := id.ApplyT(func(id string) string {
		return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + strings.ReplaceAll(id, "-", "") + " /dev/xvdf " + diskDevice
	}).(pulumi.StringOutput)
	return &Disk{ID: id, Devices: devices, Size: c.settings.AWS.DataDiskSize, volume: volume}, nil
}

// attach attaches the disk to the node's machine. The end of the machine detaches it: it stops its containers and writes everything
// before. A call to detach it would take the disk from under them.
func (c *cloud) attach(ctx *pulumi.Context, node *Node) error {
	attachment, err := ec2.NewVolumeAttachment(ctx, node.Name+"-disk-attachment", &ec2.VolumeAttachmentArgs{
		DeviceName:  pulumi.String(diskDevice),
		InstanceId:  node.Identity,
		VolumeId:    node.Disk.ID,
		SkipDestroy: pulumi.Bool(true),
	}, c.own(pulumi.DeleteBeforeReplace(true))...)
	node.Reachable = append(node.Reachable, attachment)
	return err
}
