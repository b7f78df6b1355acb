package engine

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
)

// processes is how many processes and threads a workload's user may have. The provider cannot set the limit of a container's
// processes, which would be a better one. PostgreSQL, which has the most, needs about 130.
const processes = 512

// confine limits what a workload may use and do. Every value is one that the engine reports as it was given. The provider takes
// another one for a change.
func confine(w cluster.Workload, arguments *docker.ContainerArgs) {
	arguments.Memory = pulumi.Int(w.Limits.Memory)
	// Without a value, the engine reports one of its own: twice the memory, or -1 where the kernel does not count swap.
	arguments.MemorySwap = pulumi.Int(-1)
	arguments.Ulimits = docker.ContainerUlimitArray{
		docker.ContainerUlimitArgs{Name: pulumi.String("nofile"), Soft: pulumi.Int(w.Limits.Files), Hard: pulumi.Int(w.Limits.Files)},
		docker.ContainerUlimitArgs{Name: pulumi.String("nproc"), Soft: pulumi.Int(processes), Hard: pulumi.Int(processes)},
	}
	arguments.SecurityOpts = pulumi.ToStringArray([]string{"no-new-privileges:true"})
	capabilities := docker.ContainerCapabilitiesArgs{Drops: pulumi.ToStringArray([]string{"ALL"})}
	if len(w.Capabilities) > 0 {
		var adds pulumi.StringArray
		for _, name := range w.Capabilities {
			adds = append(adds, pulumi.String("CAP_"+name))
		}
		capabilities.Adds = adds
	}
	arguments.Capabilities = capabilities
	if len(w.Scratch) > 0 {
		scratch := pulumi.StringMap{}
		for _, folder := range w.Scratch {
			scratch[folder] = pulumi.String("rw,noexec,nosuid,nodev,size=64m")
		}
		arguments.Tmpfs = scratch
	}
}
