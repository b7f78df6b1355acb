package infra

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// lookupTime is how long the name of a machine may take to resolve.
const lookupTime = 5 * time.Second

// isLocal reports whether only the machine on which Pulumi runs, or its own network segment, finds something at an address. A forwarded
// port is one example.
func isLocal(address netip.Addr) bool {
	return address.IsLoopback() || address.IsLinkLocalUnicast() || address.Zone() != ""
}

// forBrowsers returns the public address, or the private one where browsers elsewhere do not find the public one.
func (n *Node) forBrowsers(address string) string {
	name := strings.ToLower(strings.TrimSuffix(address, "."))
	if numeric, err := netip.ParseAddr(address); err == nil && isLocal(numeric) || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return n.Address.String()
	}
	return address
}

// NumericAddress returns the public address as an IP address, as a line of /etc/hosts needs it. If it is a name, the resolver of the
// machine on which Pulumi runs is asked. If that does not know it, or browsers elsewhere do not find the address, the result is the
// private address.
func (n *Node) NumericAddress(ctx context.Context) pulumi.StringOutput {
	return n.PublicAddress.ApplyT(func(address string) string {
		address = n.forBrowsers(address)
		if _, err := netip.ParseAddr(address); err == nil || address == "" {
			return address
		}
		ctx, cancel := context.WithTimeout(ctx, lookupTime)
		defer cancel()
		for _, network := range []string{"ip4", "ip6"} {
			if found, err := net.DefaultResolver.LookupNetIP(ctx, network, address); err == nil && len(found) > 0 {
				// The order may differ each time.
				return n.forBrowsers(slices.MinFunc(found, netip.Addr.Compare).Unmap().String())
			}
		}
		return n.Address.String()
	}).(pulumi.StringOutput)
}

// HTTP returns the URL of the node's public address at the standard port, or of its private one if browsers elsewhere do not find that.
func (n *Node) HTTP() pulumi.StringOutput {
	return n.PublicAddress.ApplyT(func(address string) string {
		return (&url.URL{Scheme: "http", Host: bracketed(n.forBrowsers(address))}).String()
	}).(pulumi.StringOutput)
}

// DockerHost returns the address at which a docker provider reaches the node's engine through SSH.
func (n *Node) DockerHost() pulumi.StringOutput {
	return pulumi.All(n.PublicAddress, n.index()).ApplyT(func(parts []any) string {
		one := n.one(parts[1].(int))
		return (&url.URL{Scheme: "ssh", User: url.User(one.user), Host: net.JoinHostPort(parts[0].(string), strconv.Itoa(one.port))}).String()
	}).(pulumi.StringOutput)
}

// SSHCommand returns the line that a person types to log in on the node.
func (n *Node) SSHCommand() pulumi.StringOutput {
	return n.PublicAddress.ApplyT(func(address string) string {
		line := []string{"ssh"}
		if n.keyFile != "" {
			line = append(line, "-i", n.keyFile)
		}
		if n.port != sshPort {
			line = append(line, "-p", strconv.Itoa(n.port))
		}
		return shellescape.QuoteCommand(append(line, n.user+"@"+address))
	}).(pulumi.StringOutput)
}

// KnownHostsLine returns the node's line for the operator's known_hosts. With it even the first login by hand is verified.
func (n *Node) KnownHostsLine() pulumi.StringOutput {
	return pulumi.All(n.PublicAddress, n.HostKey).ApplyT(func(parts []any) string {
		address := parts[0].(string)
		if n.port != sshPort {
			address = "[" + address + "]:" + strconv.Itoa(n.port)
		}
		return address + " " + parts[1].(string)
	}).(pulumi.StringOutput)
}

// bracketed returns an address as the host of a URL.
func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}
