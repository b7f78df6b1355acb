package infra

import (
	"net"

	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// newHosts takes machines that exist already. A machine that was made anew shows a new host key; once that stands in the
// settings, everything that lived on the old machine is put on the new one.
func newHosts(s settings.Settings, commands *command.Provider) []*Node {
	var nodes []*Node
	for i, host := range s.Hosts {
		nodes = append(nodes, &Node{
			Node:          s.Nodes[i],
			PublicAddress: pulumi.String(host.Address).ToStringOutput(),
			HostKey:       pulumi.String(host.HostKey).ToStringOutput(),
			Identity:      pulumi.String(host.HostKey).ToStringOutput(),
			// A host name may lead anywhere; the private address is then as good a guess.
			ownPublicAddress: host.Address != host.PrivateAddress && net.ParseIP(host.Address) != nil,
			user:             host.User,
			port:             host.Port,
			privateKey:       s.SSH.PrivateKey,
			keyFile:          s.SSH.PrivateKeyFile,
			commands:         commands,
		})
	}
	return nodes
}
