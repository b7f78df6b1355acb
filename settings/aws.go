package settings

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"swarm-scale/topology"
)

// Bounds of AWS's settings.
const (
	minDiskSize        = 8    // GiB: the size of Canonical's own image
	maxDiskSize        = 1024 // GiB
	maxInstanceTypeLen = 32
)

// regionName is the regular expression of a region's name.
const regionName = `[a-z]{2,}(?:-[a-z]+)+-[0-9]+`

// shortestPrefix is the prefix length of the widest operatorCidr without allowSshFromAnywhere: 65,536 addresses, which is a large
// company's.
const shortestPrefix = 16

// notForVPCs are the ranges that AWS refuses for a VPC: this network, the machine itself, link-local, multicast and reserved.
var notForVPCs = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

var (
	// The names of regions in all of AWS's partitions: us-west-1, us-gov-east-1, cn-north-1, us-isob-east-1, eusc-de-east-1.
	regionPattern = regexp.MustCompile(`^` + regionName + `$`)
	// A region's availability zone, us-west-2a, or local zone, us-west-2-lax-1a. The first group is the region. A wavelength zone,
	// us-east-1-wl1-bos-wlz-1, is in a mobile network. An internet gateway does not reach it.
	zonePattern         = regexp.MustCompile(`^(` + regionName + `)(?:-[a-z]+-[0-9]+)?[a-z]$`)
	amiPattern          = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	instanceTypePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	// gravitonPattern matches instance types with an arm64 processor. A family's name is series, generation and options. The
	// option "g" is AWS's own Graviton (EC2 user guide, "Instance type naming conventions").
	gravitonPattern = regexp.MustCompile(`^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)\.`)
)

// aws reads the settings of platform aws. Those of machines that are not there are not read.
func (r *reader) aws(zones int, counts topology.Counts) AWSSettings {
	a := AWSSettings{
		Region:        r.matching(keyRegion, regionPattern, "is not a region", "set it to one such as us-west-1"),
		VPC:           r.network(keyVPC),
		Subnets:       topology.Subnets(r.network(keySubnet), zones),
		KeyPair:       r.text(keyKeyPair),
		OperatorCIDR:  r.operatorCIDR(),
		AMI:           r.matching(keyAMI, amiPattern, "is not an AMI", "set it to one such as ami-0123456789abcdef0, or leave it out for the newest Ubuntu 22.04"),
		InstanceTypes: map[topology.Role]string{},
		DiskSize:      r.number(keyDiskSize, minDiskSize, maxDiskSize),
		DataDiskSize:  r.number(keyDataDiskSize, minDiskSize, maxDiskSize),
		FlowLogs:      FlowLogs(r.oneOf(keyFlowLogs, string(RejectsOnly), string(AllFlows), string(NoFlowLogs))),

		TerminationProtection: r.boolean(keyTermination),
		NetworkLoadBalancer:   r.boolean(keyNetworkLoadBalancer),
	}
	if a.KeyPair == "" {
		r.fault(keyKeyPair, "", Missing, "is not set", "name an EC2 key pair of %s: pulumi config set keyPair NAME (aws ec2 describe-key-pairs lists them)", a.Region)
	}
	a.AvailabilityZones = r.availabilityZones(a.Region, zones)
	if first := a.Subnets[0]; a.VPC.IsValid() && first.IsValid() {
		switch {
		case !within(a.VPC, first):
			r.fault(keySubnet, first.String(), Conflict, fmt.Sprintf("is not inside vpcCidr %s", a.VPC), "choose a range inside it, such as its first /24")
		case !within(a.VPC, a.Subnets[zones-1]):
			r.fault(keySubnet, first.String(), Conflict, fmt.Sprintf("is the first of %d subnets, one for each zone, of which the last is not inside vpcCidr %s", zones, a.VPC),
				"choose a range with room for %d more of its size behind it, such as the first /24 of a larger vpcCidr", zones-1)
		}
	}
	if a.VPC.IsValid() && slices.ContainsFunc(notForVPCs, a.VPC.Overlaps) {
		r.fault(keyVPC, a.VPC.String(), Conflict, "has addresses that no machine can have", "use a private range, such as %s", defaults[keyVPC])
	}
	if a.VPC.IsValid() && hasFirstBridges(a.VPC) {
		r.fault(keyVPC, a.VPC.String(), Conflict, "has addresses of engines' own networks, 172.17.0.0/16 and 172.18.0.0/16, which other nodes do not reach", "choose another range, such as %s", defaults[keyVPC])
	}
	for _, spec := range topology.Roles() {
		if counts.Of(spec.Role) == 0 {
			continue
		}
		key := instanceTypeKeys[spec.Role]
		kind := r.matching(key, instanceTypePattern, "is not an instance type", "set it to one such as "+defaults[key])
		if len(kind) > maxInstanceTypeLen {
			r.fault(key, kind, Malformed, "is not an instance type", "set it to one such as %s", defaults[key])
		}
		a.InstanceTypes[spec.Role] = kind
	}
	return a
}

// network reads the address range of a VPC or a subnet: IPv4, /16 to /28 (VPC user guide), no host bits set.
func (r *reader) network(key string) netip.Prefix {
	value := r.text(key)
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || !prefix.Addr().Is4():
		r.fault(key, value, Malformed, "is not an IPv4 range", "write it as %s", defaults[key])
		return netip.Prefix{}
	case prefix.Masked() != prefix:
		r.fault(key, value, Malformed, "has host bits set", "write it as %s", prefix.Masked())
	case prefix.Bits() < 16 || prefix.Bits() > 28:
		r.fault(key, value, OutOfRange, "has a size that AWS does not allow", "use a prefix length from /16 to /28")
	}
	return prefix.Masked()
}

// operatorCIDR reads the IPv4 range that SSH is open to. A wide one needs allowSshFromAnywhere.
func (r *reader) operatorCIDR() netip.Prefix {
	anywhere := r.boolean(keyAllowSSHFromAnywhere)
	value := r.text(keyOperatorCIDR)
	if value == "" {
		r.fault(keyOperatorCIDR, "", Missing, "is not set", "give the range that you log in from: pulumi config set operatorCidr YOUR-ADDRESS/32")
		return netip.Prefix{}
	}
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || !prefix.Addr().Is4():
		r.fault(keyOperatorCIDR, value, Malformed, "is not an IPv4 range", "write it as ADDRESS/32, such as 203.0.113.7/32")
	case prefix.Masked() != prefix:
		r.fault(keyOperatorCIDR, value, Malformed, "has host bits set", "write it as %s, or as %s/32 for one address", prefix.Masked(), prefix.Addr())
	case !isPublicRange(prefix):
		// SSH goes to the machines' public addresses.
		r.fault(keyOperatorCIDR, value, Unknown, "has no address of the internet", "give the address that the internet sees you with: pulumi config set operatorCidr YOUR-ADDRESS/32")
	case prefix.Bits() < shortestPrefix && !anywhere:
		r.fault(keyOperatorCIDR, value, Insecure, fmt.Sprintf("opens SSH to %d addresses", 1<<(32-prefix.Bits())),
			"give your own range, /%d or smaller, or say that you mean it: pulumi config set allowSshFromAnywhere true", shortestPrefix)
	}
	return prefix
}

// availabilityZones reads the zones of the subnets. If nobody sets them, there are none.
func (r *reader) availabilityZones(region string, zones int) []string {
	names := r.list(keyAvailabilityZone)
	for i, name := range names {
		zone := zonePattern.FindStringSubmatch(name)
		switch {
		case zone == nil:
			r.fault(keyAvailabilityZone, name, Malformed, "is not an availability zone", "set it to one such as us-west-1b, or leave it out")
		case regionPattern.MatchString(region) && zone[1] != region:
			r.fault(keyAvailabilityZone, name, Conflict, "is not in the region "+region, "choose a zone of that region, or leave it out")
		case slices.Contains(names[:i], name):
			r.fault(keyAvailabilityZone, name, Conflict, "is there twice", "name another one, or leave them out")
		}
	}
	if len(names) > 0 && len(names) != zones {
		r.fault(keyAvailabilityZone, r.text(keyAvailabilityZone), Conflict, fmt.Sprintf("has %d names, and the setting zones is %d", len(names), zones), "name as many, with spaces between them, or leave it out")
	}
	return names
}

// addresses lists the nodes with their addresses in the subnets.
func (r *reader) addresses(subnets []netip.Prefix, counts topology.Counts) []topology.Node {
	if !subnets[len(subnets)-1].IsValid() {
		return nil // its fault is already reported
	}
	nodes, err := topology.New(subnets, counts)
	if err != nil {
		r.fault(keySubnet, subnets[0].String(), Conflict, "does not fit every node", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nodes
}

// The architectures that the programs can be built for, as Go names them.
const (
	amd64 = "amd64"
	arm64 = "arm64"
)

// architectureOf returns the processor architecture of the instance types. The programs are built for one. So a type that
// differs from the first role's is a fault, and so is a setting architecture that differs.
func (r *reader) architectureOf(types map[topology.Role]string) string {
	of := func(kind string) string {
		if gravitonPattern.MatchString(kind) {
			return arm64
		}
		return amd64
	}
	first := types[topology.Roles()[0].Role]
	architecture := of(first)
	for _, spec := range topology.Roles() {
		if kind, ok := types[spec.Role]; ok && of(kind) != architecture {
			r.fault(instanceTypeKeys[spec.Role], kind, Conflict, "is "+of(kind)+" while "+first+" is "+architecture,
				"choose instance types of one architecture: the programs are built for one")
		}
	}
	if set := r.text(keyArchitecture); set != "" && set != architecture {
		r.fault(keyArchitecture, set, Conflict, "is not the architecture of "+first, "leave it out: on aws it follows from the instance types")
	}
	return architecture
}
