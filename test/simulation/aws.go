package simulation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// The account and the region where everything simulated is.
const (
	awsAccount = "123456789012"
	awsRegion  = "us-west-1"
)

// awsTimes says where the durations of AWS come from.
const awsTimes = "typical of published Terraform apply logs, the same provider code; assumed here"

// ec2Zones lists, by availability zone, the instance types a zone of us-west-1
// offers here. That a zone does not offer every type is how AWS is; which one
// lacks which is assumed.
var ec2Zones = map[string][]string{
	"us-west-1a": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m5.large"},
	"us-west-1c": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.medium", "m3.large", "m5.large"},
}

// AWS returns the simulated aws provider: what a virtual private cloud with
// instances in it needs.
func AWS() *Package {
	return &Package{
		Name:    "aws",
		Version: "6.83.2",
		Resources: []*Resource{
			vpc(), subnet(), internetGateway(), routeTable(), route(), routeTableAssociation(),
			defaultRouteTable(), mainRouteTableAssociation(), defaultSecurityGroup(),
			securityGroup(), securityGroupRule(), securityGroupIngressRule(), securityGroupEgressRule(),
			keyPair(), instance(), elasticIP(), elasticIPAssociation(), volume(), volumeAttachment(),
		},
		Functions: map[string]Function{
			"aws:ec2/getAmi:getAmi":                                     getAMI,
			"aws:index/getAvailabilityZones:getAvailabilityZones":       getAvailabilityZones,
			"aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": getInstanceTypeOfferings,
			"aws:ec2/getInstanceTypeOffering:getInstanceTypeOffering":   getInstanceTypeOffering,
			"aws:ec2/getKeyPair:getKeyPair":                             getKeyPair,
			"aws:index/getRegion:getRegion":                             getRegion,
			"aws:index/getCallerIdentity:getCallerIdentity":             getCallerIdentity,
		},
	}
}

// arn is the output every EC2 object has: its Amazon Resource Name.
func arn(kind string) Output {
	return Output{Name: "arn", Value: func(c *Call) any {
		return fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", awsRegion, awsAccount, kind, c.ID)
	}}
}

// owner is the output that names the account.
var owner = Output{Name: "ownerId", Value: func(*Call) any { return awsAccount }}

// tagsAll is the output with the tags and the provider's default tags.
var tagsAll = Output{
	Name:    "tagsAll",
	Follows: []string{"tags"},
	Value: func(c *Call) any {
		all := map[string]any{}
		defaults, _ := resource.PropertyPath{"defaultTags", "tags"}.Get(resource.NewObjectProperty(c.Provider))
		for _, tags := range []resource.PropertyValue{defaults, c.Inputs["tags"]} {
			if tags.IsObject() {
				for key, value := range tags.ObjectValue() {
					all[string(key)] = value.StringValue()
				}
			}
		}
		return all
	},
}

// identifier is an output with an ID that EC2 makes up.
func identifier(name, prefix string) Output {
	return Output{Name: name, Value: func(*Call) any { return prefix + hexDigits(nil, 17) }}
}

// constant is an output that is always the same unless the input is given.
func constant(name string, value any) Output {
	return Output{Name: name, Value: func(*Call) any { return value }}
}

func vpc() *Resource {
	return &Resource{
		Token:    "aws:ec2/vpc:Vpc",
		IDPrefix: "vpc-",
		Replace:  []string{"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"},
		Defaults: map[string]any{"enableDnsSupport": true, "instanceTenancy": "default"},
		Outputs: []Output{
			arn("vpc"), owner, tagsAll,
			identifier("defaultNetworkAclId", "acl-"), identifier("defaultRouteTableId", "rtb-"),
			identifier("defaultSecurityGroupId", "sg-"), identifier("dhcpOptionsId", "dopt-"),
			identifier("mainRouteTableId", "rtb-"), constant("enableDnsHostnames", false),
			constant("cidrBlock", ""), constant("enableNetworkAddressUsageMetrics", false),
		},
		// Switching DNS host names on is a second call, polled every 10 s.
		Times: Times{Create: 12 * time.Second, Update: 11 * time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func subnet() *Resource {
	return &Resource{
		Token:    "aws:ec2/subnet:Subnet",
		IDPrefix: "subnet-",
		Required: []string{"vpcId"},
		Replace:  []string{"availabilityZone", "availabilityZoneId", "cidrBlock", "vpcId", "ipv6Native", "outpostArn"},
		Defaults: map[string]any{"mapPublicIpOnLaunch": false, "assignIpv6AddressOnCreation": false},
		Refers:   []string{"vpcId"},
		Holds:    []string{"vpcId"},
		Outputs: []Output{
			arn("subnet"), owner, tagsAll, constant("availabilityZone", "us-west-1a"),
			constant("availabilityZoneId", "usw1-az1"), constant("privateDnsHostnameTypeOnLaunch", "ip-name"),
		},
		// Public addresses on launch are switched on by a second call, polled every 10 s.
		Times: Times{Create: 11 * time.Second, Update: 10 * time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func internetGateway() *Resource {
	return &Resource{
		Token:    "aws:ec2/internetGateway:InternetGateway",
		IDPrefix: "igw-",
		Refers:   []string{"vpcId"},
		Holds:    []string{"vpcId"},
		Outputs:  []Output{arn("internet-gateway"), owner, tagsAll, constant("vpcId", "")},
		Times:    Times{Create: time.Second, Update: time.Second, Delete: 10 * time.Second, Source: awsTimes},
	}
}

func routeTable() *Resource {
	return &Resource{
		Token:    "aws:ec2/routeTable:RouteTable",
		IDPrefix: "rtb-",
		Required: []string{"vpcId"},
		Replace:  []string{"vpcId"},
		Refers:   []string{"vpcId"},
		Holds:    []string{"vpcId"},
		Outputs:  []Output{arn("route-table"), owner, tagsAll, constant("routes", []any{}), constant("propagatingVgws", []any{})},
		Times:    Times{Create: 2 * time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func defaultRouteTable() *Resource {
	return &Resource{
		Token:    "aws:ec2/defaultRouteTable:DefaultRouteTable",
		Required: []string{"defaultRouteTableId"},
		Replace:  []string{"defaultRouteTableId"},
		ID:       func(c *Call) string { return c.Text("defaultRouteTableId") },
		Outputs:  []Output{arn("route-table"), owner, tagsAll, constant("vpcId", ""), constant("routes", []any{})},
		Times:    Times{Create: time.Second, Update: time.Second, Source: awsTimes},
	}
}

func defaultSecurityGroup() *Resource {
	return &Resource{
		Token:    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
		IDPrefix: "sg-",
		Replace:  []string{"vpcId"},
		Refers:   []string{"vpcId"},
		Outputs:  []Output{arn("security-group"), owner, tagsAll, constant("name", "default"), constant("description", "default VPC security group")},
		Times:    Times{Create: time.Second, Update: time.Second, Source: awsTimes},
	}
}

func route() *Resource {
	return &Resource{
		Token:    "aws:ec2/route:Route",
		IDPrefix: "r-",
		Required: []string{"routeTableId"},
		Replace:  []string{"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"},
		Refers:   []string{"routeTableId", "gatewayId"},
		Claims: func(c *Call) []Claim {
			table, to := c.Text("routeTableId"), c.Text("destinationCidrBlock")
			return []Claim{{
				Key:   "route " + table + " " + to,
				Taken: fmt.Errorf("RouteAlreadyExists: The route identified by %s already exists in %s", to, table),
			}}
		},
		Outputs: []Output{constant("origin", "CreateRoute"), constant("state", "active"), constant("instanceId", ""), constant("instanceOwnerId", ""), constant("networkInterfaceId", "")},
		Times:   Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func routeTableAssociation() *Resource {
	return &Resource{
		Token:    "aws:ec2/routeTableAssociation:RouteTableAssociation",
		IDPrefix: "rtbassoc-",
		Required: []string{"routeTableId"},
		Replace:  []string{"subnetId", "gatewayId"},
		Refers:   []string{"routeTableId", "subnetId"},
		Holds:    []string{"routeTableId", "subnetId"},
		Claims: func(c *Call) []Claim {
			id := c.Text("subnetId")
			if id == "" {
				return nil
			}
			return []Claim{{
				Key: "association of " + id,
				Taken: fmt.Errorf("Resource.AlreadyAssociated: the specified association for route table %s conflicts with an existing association",
					c.Text("routeTableId")),
			}}
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func mainRouteTableAssociation() *Resource {
	return &Resource{
		Token:    "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
		IDPrefix: "rtbassoc-",
		Required: []string{"routeTableId", "vpcId"},
		Refers:   []string{"routeTableId", "vpcId"},
		Holds:    []string{"routeTableId"},
		Outputs:  []Output{identifier("originalRouteTableId", "rtb-")},
		Times:    Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func securityGroup() *Resource {
	return &Resource{
		Token:    "aws:ec2/securityGroup:SecurityGroup",
		IDPrefix: "sg-",
		AutoName: "name",
		Defaults: map[string]any{"description": "Managed by Pulumi", "revokeRulesOnDelete": false},
		Replace:  []string{"description", "name", "namePrefix", "vpcId"},
		Refers:   []string{"vpcId"},
		Holds:    []string{"vpcId"},
		Claims: func(c *Call) []Claim {
			return []Claim{{
				Key: "security group " + c.Text("vpcId") + " " + c.Text("name"),
				Taken: fmt.Errorf("InvalidGroup.Duplicate: The security group %q already exists for VPC %q",
					c.Text("name"), c.Text("vpcId")),
			}}
		},
		Outputs: []Output{
			arn("security-group"), owner, tagsAll,
			constant("ingress", []any{}), constant("egress", []any{}),
		},
		Times: Times{Create: 3 * time.Second, Update: 2 * time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func securityGroupRule() *Resource {
	return &Resource{
		Token:    "aws:ec2/securityGroupRule:SecurityGroupRule",
		IDPrefix: "sgrule-",
		Required: []string{"type", "securityGroupId", "protocol", "fromPort", "toPort"},
		Replace: []string{
			"type", "securityGroupId", "protocol", "fromPort", "toPort", "cidrBlocks", "ipv6CidrBlocks",
			"prefixListIds", "self", "sourceSecurityGroupId",
		},
		Refers:  []string{"securityGroupId", "sourceSecurityGroupId"},
		Holds:   []string{"sourceSecurityGroupId"},
		Outputs: []Output{identifier("securityGroupRuleId", "sgr-")},
		Times:   Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func securityGroupIngressRule() *Resource {
	return groupRule("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
}

func securityGroupEgressRule() *Resource {
	return groupRule("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
}

// groupRule is a rule with an object of its own in EC2. A rule with a group as
// its source keeps that group from being deleted, unless it is the rule's own.
func groupRule(token string) *Resource {
	return &Resource{
		Token:    token,
		IDPrefix: "sgr-",
		Required: []string{"securityGroupId", "ipProtocol"},
		Replace:  []string{"securityGroupId"},
		Refers:   []string{"securityGroupId", "referencedSecurityGroupId"},
		Claims: func(c *Call) []Claim {
			key := fmt.Sprint(token, c.Text("securityGroupId"), c.Text("ipProtocol"), c.Inputs["fromPort"], c.Inputs["toPort"],
				c.Text("cidrIpv4"), c.Text("cidrIpv6"), c.Text("prefixListId"), c.Text("referencedSecurityGroupId"))
			return []Claim{{
				Key:   key,
				Taken: fmt.Errorf("InvalidPermission.Duplicate: the specified rule already exists in %s", c.Text("securityGroupId")),
			}}
		},
		Outputs: []Output{
			arn("security-group-rule"), tagsAll,
			{Name: "securityGroupRuleId", Value: func(c *Call) any { return string(c.ID) }},
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

func keyPair() *Resource {
	return &Resource{
		Token:    "aws:ec2/keyPair:KeyPair",
		AutoName: "keyName",
		Required: []string{"publicKey"},
		Replace:  []string{"keyName", "keyNamePrefix", "publicKey"},
		ID:       func(c *Call) string { return c.Text("keyName") },
		Claims: func(c *Call) []Claim {
			name := c.Text("keyName")
			return []Claim{{Key: "key pair " + name, Taken: fmt.Errorf("InvalidKeyPair.Duplicate: The keypair already exists: %s", name)}}
		},
		Outputs: []Output{arn("key-pair"), tagsAll, identifier("keyPairId", "key-"), constant("keyType", "ed25519"), identifier("fingerprint", "")},
		Times:   Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: awsTimes},
	}
}

// restarted names the inputs of an instance whose change stops and starts it.
var restarted = []string{"instanceType", "userData", "userDataBase64"}

func instance() *Resource {
	return &Resource{
		Token:    "aws:ec2/instance:Instance",
		IDPrefix: "i-",
		Machine:  true,
		Replace: []string{
			"ami", "associatePublicIpAddress", "availabilityZone", "cpuOptions", "enclaveOptions",
			"ephemeralBlockDevices", "hibernation", "hostResourceGroupArn", "ipv6Addresses", "keyName",
			"networkInterfaces", "placementGroup", "privateIp", "securityGroups", "subnetId",
		},
		ReplaceIf: func(input string, olds, news resource.PropertyMap) bool {
			switch input {
			case "userData", "userDataBase64":
				return truth(news, "userDataReplaceOnChange")
			case "rootBlockDevice":
				for _, property := range []string{"encrypted", "kmsKeyId"} {
					before, _ := resource.PropertyPath{input, property}.Get(resource.NewObjectProperty(olds))
					after, _ := resource.PropertyPath{input, property}.Get(resource.NewObjectProperty(news))
					if !before.DeepEquals(after) {
						return true
					}
				}
			}
			return false
		},
		Defaults: map[string]any{"getPasswordData": false, "sourceDestCheck": true, "userDataReplaceOnChange": false},
		Refers:   []string{"subnetId", "vpcSecurityGroupIds"},
		Holds:    []string{"subnetId", "vpcSecurityGroupIds"},
		Run:      launch,
		Addresses: func(o *Object) []string {
			addresses := []string{string(o.ID)}
			for _, properties := range []resource.PropertyMap{o.Inputs, o.Outputs} {
				for _, path := range []resource.PropertyPath{{"privateIp"}, {"publicIp"}, {"publicDns"}, {"privateDns"}, {"tags", "Name"}} {
					if address := text(properties, path...); address != "" && !slices.Contains(addresses, address) {
						addresses = append(addresses, address)
					}
				}
			}
			return addresses
		},
		Claims: func(c *Call) []Claim {
			address := c.Text("privateIp")
			if address == "" {
				return nil
			}
			return []Claim{{
				Key:   "address " + c.Text("subnetId") + " " + address,
				Taken: fmt.Errorf("creating EC2 Instance: api error InvalidIPAddress.InUse: Address %s is in use", address),
			}}
		},
		Outputs: []Output{
			arn("instance"), tagsAll,
			{Name: "publicIp", Follows: restarted}, {Name: "publicDns", Follows: restarted},
			{Name: "privateIp"}, {Name: "privateDns"},
			constant("instanceState", "running"), identifier("primaryNetworkInterfaceId", "eni-"),
			{Name: "availabilityZone", Value: zoneOf}, {Name: "associatePublicIpAddress", Value: public},
			constant("tenancy", "default"), constant("monitoring", false), constant("ebsOptimized", false),
			constant("disableApiTermination", false), constant("cpuCoreCount", 1), constant("cpuThreadsPerCore", 1),
			constant("passwordData", ""), constant("placementGroup", ""), constant("outpostArn", ""),
			constant("securityGroups", []any{}), constant("secondaryPrivateIps", []any{}), constant("ipv6Addresses", []any{}),
			constant("vpcSecurityGroupIds", []any{}), constant("subnetId", ""), constant("keyName", ""),
			constant("instanceInitiatedShutdownBehavior", "stop"), constant("instanceLifecycle", ""),
		},
		// Polled every 10 s until running; a change of type stops and starts it.
		Times: Times{Create: 23 * time.Second, Update: 60 * time.Second, Delete: 40 * time.Second, Source: awsTimes},
	}
}

// launch gives an instance its addresses, or new public ones when it is stopped
// and started, and refuses types its zone does not offer.
func launch(c *Call) (resource.PropertyMap, time.Duration, error) {
	if c.Op == Delete {
		return nil, 0, nil
	}
	if kind, zone := c.Text("instanceType"), zoneOf(c).(string); kind != "" && !slices.Contains(ec2Zones[zone], kind) {
		return nil, 0, fmt.Errorf("creating EC2 Instance: api error Unsupported: Your requested instance type (%s) is not supported in your requested Availability Zone (%s)",
			kind, zone)
	}
	if c.Op == Update && !(Output{Follows: restarted}).follows(c.OldInputs, c.Inputs) {
		return nil, 2 * time.Second, nil
	}
	outputs := resource.PropertyMap{}
	n := c.World.serial()
	if c.Op == Create {
		address := c.Text("privateIp")
		if address == "" {
			address = fmt.Sprintf("192.168.%d.%d", 240+n/250, n%250+4)
			outputs["privateIp"] = resource.NewStringProperty(address)
		}
		outputs["privateDns"] = resource.NewStringProperty(
			"ip-" + strings.ReplaceAll(address, ".", "-") + "." + awsRegion + ".compute.internal")
	}
	address, name := "", ""
	if public(c).(bool) {
		// Of the block reserved for benchmarks, so that nothing real is meant.
		address = netip.AddrFrom4([4]byte{198, 18, byte(n / 250), byte(n%250 + 1)}).String()
		name = "ec2-" + strings.ReplaceAll(address, ".", "-") + "." + awsRegion + ".compute.amazonaws.com"
	}
	outputs["publicIp"] = resource.NewStringProperty(address)
	outputs["publicDns"] = resource.NewStringProperty(name)
	return outputs, 0, nil
}

// subnetOf returns the subnet an instance is in, or nil.
func subnetOf(c *Call) *Object {
	c.World.mu.Lock()
	defer c.World.mu.Unlock()
	return c.World.find("aws:ec2/subnet:Subnet", resource.ID(c.Text("subnetId")))
}

// zoneOf returns the zone of an instance: the one asked for, or its subnet's.
func zoneOf(c *Call) any {
	if zone := c.Text("availabilityZone"); zone != "" {
		return zone
	}
	if net := subnetOf(c); net != nil {
		if zone := text(net.Outputs, "availabilityZone"); zone != "" {
			return zone
		}
	}
	return "us-west-1a"
}

// public says whether an instance gets a public address: because it asks for
// one, or because its subnet gives one to each.
func public(c *Call) any {
	if asked, ok := c.Inputs["associatePublicIpAddress"]; ok && asked.IsBool() {
		return asked.BoolValue()
	}
	net := subnetOf(c)
	return net != nil && truth(net.Inputs, "mapPublicIpOnLaunch")
}

func elasticIP() *Resource {
	return &Resource{
		Token:    "aws:ec2/eip:Eip",
		IDPrefix: "eipalloc-",
		Replace:  []string{"domain", "address", "networkBorderGroup", "publicIpv4Pool"},
		Refers:   []string{"instance"},
		Outputs: []Output{
			arn("elastic-ip"), tagsAll,
			{Name: "publicIp", Value: func(c *Call) any {
				n := c.World.serial()
				return netip.AddrFrom4([4]byte{198, 19, byte(n / 250), byte(n%250 + 1)}).String()
			}},
			{Name: "allocationId", Value: func(c *Call) any { return string(c.ID) }},
			identifier("associationId", "eipassoc-"), constant("publicDns", ""), constant("privateIp", ""),
			constant("networkInterface", ""), constant("instance", ""), constant("domain", "vpc"),
		},
		Times: Times{Create: 2 * time.Second, Update: 2 * time.Second, Delete: 2 * time.Second, Source: awsTimes},
	}
}

func elasticIPAssociation() *Resource {
	return &Resource{
		Token:    "aws:ec2/eipAssociation:EipAssociation",
		IDPrefix: "eipassoc-",
		Replace:  []string{"allocationId", "instanceId", "networkInterfaceId", "privateIpAddress", "publicIp", "allowReassociation"},
		Refers:   []string{"allocationId", "instanceId"},
		Holds:    []string{"allocationId"},
		On:       func(c *Call) []string { return []string{c.Text("instanceId")} },
		Outputs:  []Output{constant("publicIp", ""), constant("privateIpAddress", ""), identifier("networkInterfaceId", "eni-")},
		Times:    Times{Create: 2 * time.Second, Update: 2 * time.Second, Delete: 2 * time.Second, Source: awsTimes},
	}
}

func volume() *Resource {
	return &Resource{
		Token:    "aws:ebs/volume:Volume",
		IDPrefix: "vol-",
		Required: []string{"availabilityZone"},
		Replace:  []string{"availabilityZone", "encrypted", "kmsKeyId", "snapshotId", "outpostArn", "multiAttachEnabled"},
		Outputs:  []Output{arn("volume"), tagsAll, constant("size", 8), constant("type", "gp2"), constant("iops", 100), constant("throughput", 0)},
		Times:    Times{Create: 11 * time.Second, Update: 10 * time.Second, Delete: 10 * time.Second, Source: awsTimes},
	}
}

func volumeAttachment() *Resource {
	return &Resource{
		Token:    "aws:ec2/volumeAttachment:VolumeAttachment",
		IDPrefix: "vai-",
		Required: []string{"deviceName", "instanceId", "volumeId"},
		Replace:  []string{"deviceName", "instanceId", "volumeId"},
		Refers:   []string{"instanceId", "volumeId"},
		Holds:    []string{"volumeId"},
		On:       func(c *Call) []string { return []string{c.Text("instanceId")} },
		Times:    Times{Create: 22 * time.Second, Update: time.Second, Delete: 11 * time.Second, Source: awsTimes},
	}
}

// getAMI finds the newest machine image, whatever the filters: the one SetAMI set.
func getAMI(w *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	w.mu.Lock()
	id := w.ami
	w.mu.Unlock()
	result := args.Copy()
	for key, value := range map[string]any{
		"id": id, "imageId": id, "architecture": "x86_64", "state": "available", "public": true,
		"arn":  fmt.Sprintf("arn:aws:ec2:%s::image/%s", awsRegion, id),
		"name": "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-simulated", "ownerId": "099720109477",
		"creationDate": "2026-01-01T00:00:00.000Z", "rootDeviceName": "/dev/sda1", "rootDeviceType": "ebs",
		"virtualizationType": "hvm", "hypervisor": "xen", "imageType": "machine",
	} {
		result[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
	}
	return result, nil
}

// getAvailabilityZones lists the zones of the region.
func getAvailabilityZones(_ *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	result := args.Copy()
	names, ids := []any{}, []any{}
	for _, zone := range zones() {
		names = append(names, zone)
		ids = append(ids, "usw1-az"+zone[len(zone)-1:])
	}
	result["id"] = resource.NewStringProperty(awsRegion)
	result["names"] = resource.NewPropertyValue(names)
	result["zoneIds"] = resource.NewPropertyValue(ids)
	result["groupNames"] = resource.NewPropertyValue([]any{awsRegion})
	return result, nil
}

// zones lists the region's zones in order.
func zones() []string {
	var names []string
	for name := range ec2Zones {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// filter returns the values asked for under a filter's name, nil for any.
func filter(args resource.PropertyMap, name string) []string {
	filters := plain(args["filters"])
	if !filters.IsArray() {
		return nil
	}
	for _, f := range filters.ArrayValue() {
		if f.IsObject() && text(f.ObjectValue(), "name") == name {
			return texts(f.ObjectValue()["values"])
		}
	}
	return nil
}

// getInstanceTypeOfferings lists which zone, or the region, offers which types.
func getInstanceTypeOfferings(_ *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	kinds, places := filter(args, "instance-type"), filter(args, "location")
	location := text(args, "locationType")
	foundTypes, foundPlaces, locationTypes := []any{}, []any{}, []any{}
	for _, zone := range zones() {
		place := zone
		if location != "availability-zone" {
			place = awsRegion
		}
		for _, kind := range ec2Zones[zone] {
			if kinds != nil && !slices.Contains(kinds, kind) || places != nil && !slices.Contains(places, place) {
				continue
			}
			foundTypes = append(foundTypes, kind)
			foundPlaces = append(foundPlaces, place)
			locationTypes = append(locationTypes, location)
		}
	}
	result := args.Copy()
	result["id"] = resource.NewStringProperty(awsRegion)
	result["instanceTypes"] = resource.NewPropertyValue(foundTypes)
	result["locations"] = resource.NewPropertyValue(foundPlaces)
	result["locationTypes"] = resource.NewPropertyValue(locationTypes)
	return result, nil
}

// getInstanceTypeOffering finds one offered type, by preference.
func getInstanceTypeOffering(w *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	all, err := getInstanceTypeOfferings(w, args)
	if err != nil {
		return nil, err
	}
	offered := texts(all["instanceTypes"])
	for _, kind := range append(texts(args["preferredInstanceTypes"]), offered...) {
		if slices.Contains(offered, kind) {
			result := args.Copy()
			result["id"] = resource.NewStringProperty(kind)
			result["instanceType"] = resource.NewStringProperty(kind)
			return result, nil
		}
	}
	return nil, fmt.Errorf("no EC2 Instance Type Offerings found matching criteria; try different search")
}

// getKeyPair finds any key pair that has a name: those made outside the program
// are not simulated.
func getKeyPair(_ *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	name := text(args, "keyName")
	if name == "" {
		return nil, fmt.Errorf("InvalidKeyPair.NotFound: the simulation looks key pairs up by keyName only")
	}
	result := args.Copy()
	result["id"] = resource.NewStringProperty(name)
	result["keyPairId"] = resource.NewStringProperty("key-0" + name)
	result["keyType"] = resource.NewStringProperty("ed25519")
	return result, nil
}

// getRegion names the region.
func getRegion(_ *World, args resource.PropertyMap) (resource.PropertyMap, error) {
	result := args.Copy()
	result["id"] = resource.NewStringProperty(awsRegion)
	result["name"] = resource.NewStringProperty(awsRegion)
	result["description"] = resource.NewStringProperty("US West (N. California)")
	result["endpoint"] = resource.NewStringProperty("ec2." + awsRegion + ".amazonaws.com")
	return result, nil
}

// getCallerIdentity names the account.
func getCallerIdentity(*World, resource.PropertyMap) (resource.PropertyMap, error) {
	return resource.NewPropertyMapFromMap(map[string]any{
		"id": awsAccount, "accountId": awsAccount, "userId": "AIDASIMULATED", "arn": "arn:aws:iam::" + awsAccount + ":user/simulated",
	}), nil
}
