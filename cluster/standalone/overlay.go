package standalone

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
)

// newOverlay makes the network of the members' containers. Every engine with the same Consul has it. It is in Consul, not on a machine, so it
// is replaced when Consul has started without data.
func (c *swarm) newOverlay(ctx *pulumi.Context, members pulumi.Resource) (*docker.Network, error) {
	network, err := engine.NewOverlay(ctx, c.settings.Overlay,
		pulumi.Provider(c.provider), pulumi.ResourceHooks(c.hooks), c.inside,
		pulumi.DependsOn([]pulumi.Resource{members}),
		pulumi.DeletedWith(c.first().Presence),
		pulumi.ReplacementTrigger(c.generation),
		pulumi.DeleteBeforeReplace(true),
	)
	if err != nil {
		return nil, err
	}
	network.IpamConfigs.ApplyT(func(configs []docker.NetworkIpamConfig) error {
		if message := collision(configs, c.nodes); message != "" {
			return ctx.Log.Warn(message, &pulumi.LogArgs{Resource: network})
		}
		return nil
	})
	return network, nil
}

// collision says which nodes have an address in a network's range. It is empty if none has. Engines choose the first free 10.0.x.0/24 for
// a network whose range nobody sets, as earlier versions did.
func collision(configs []docker.NetworkIpamConfig, nodes []*infra.Node) string {
	for _, config := range configs {
		if config.Subnet == nil {
			continue
		}
		subnet, err := netip.ParsePrefix(*config.Subnet)
		if err != nil {
			continue
		}
		var inside []string
		for _, node := range nodes {
			if subnet.Contains(node.Address) {
				inside = append(inside, node.Name)
			}
		}
		if len(inside) > 0 {
			return fmt.Sprintf("the network %s has %s, in which machines are, too (%s). Containers on it may not reach them. Set another range, which replaces the network and every container on it: pulumi config set overlayCidr RANGE",
				engine.OverlayName, subnet, strings.Join(inside, ", "))
		}
	}
	return ""
}
