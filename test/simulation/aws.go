package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// awsAccount is the account that everything simulated belongs to.
const awsAccount = "123456789012"

// awsRegion is the region where everything simulated is, unless a provider has another one.
const awsRegion = "us-west-1"

// ec2Zones lists, by availability zone, the instance types that a zone offers here. In AWS, too, a zone does not offer every type, an
// account has two zones of us-west-1, and four of us-west-2. Which one lacks which is assumed.
var ec2Zones = map[string][]string{
	"us-west-1a": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m5.large"},
	"us-west-1c": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.medium", "m3.large", "m5.large"},
	"us-west-2a": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.medium", "m3.large", "m5.large"},
	"us-west-2b": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.medium", "m3.large", "m5.large"},
	"us-west-2c": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.large", "m5.large"},
	"us-west-2d": {"t2.nano", "t2.micro", "t2.small", "t2.medium", "t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "m3.medium", "m3.large", "m5.large"},
}

// AWS returns the simulated aws provider: the resource types and functions that the stack uses. The durations are typical
// of published apply logs of Terraform, whose provider is the same code; they are assumed here.
func AWS() *Package {
	return &Package{
		Name:    "aws",
		Version: "6.83.4",
		Resources: []*Resource{
			vpc(), subnet(), internetGateway(), routeTable(), route(), routeTableAssociation(),
			securityGroup(), groupRule("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"),
			groupRule("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"), instance(),
			defaultSecurityGroup(), volume(), volumeAttachment(), logGroup(), role(), rolePolicy(), flowLog(),
			networkLoadBalancer(), targetGroup(), targetGroupAttachment(), listener(),
		},
		Functions: map[string]Function{
			"aws:ec2/getAmi:getAmi":                                     getAMI,
			"aws:ec2/getInstanceType:getInstanceType":                   getInstanceType,
			"aws:index/getAvailabilityZones:getAvailabilityZones":       getAvailabilityZones,
			"aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": getInstanceTypeOfferings,
		},
	}
}

// constant returns an output that has the same value in every object whose input of that name is not given.
func constant(name string, value any) Output {
	return Output{Name: name, Value: func(*Call) any { return value }}
}

func vpc() *Resource {
	return &Resource{
		Token:    "aws:ec2/vpc:Vpc",
		IDPrefix: "vpc-",
		Replace:  []string{"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"},
		Defaults: map[string]any{"enableDnsSupport": true, "instanceTenancy": "default"},
		Outputs:  []Output{constant("ownerId", awsAccount)},
		// Switching DNS host names on is a second call, polled every 10 s.
		Times: Times{Create: 12 * time.Second, Update: 11 * time.Second, Delete: time.Second},
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
		Claims: func(c *Call) []Claim {
			vpc, addresses := c.Text("vpcId"), c.Text("cidrBlock")
			return []Claim{{
				Key:   "subnet " + vpc + " " + addresses,
				Taken: fmt.Errorf("InvalidSubnet.Conflict: The CIDR '%s' conflicts with another subnet", addresses),
			}}
		},
		Outputs: []Output{constant("availabilityZone", "us-west-1a")},
		// Public addresses on launch are switched on by a second call, polled every 10 s.
		Times: Times{Create: 11 * time.Second, Update: 10 * time.Second, Delete: time.Second},
	}
}

func internetGateway() *Resource {
	return &Resource{
		Token:    "aws:ec2/internetGateway:InternetGateway",
		IDPrefix: "igw-",
		Refers:   []string{"vpcId"},
		Holds:    []string{"vpcId"},
		Times:    Times{Create: time.Second, Update: time.Second, Delete: 10 * time.Second},
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
		Times:    Times{Create: 2 * time.Second, Update: time.Second, Delete: time.Second},
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
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
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
			return []Claim{{
				Key: "association of " + c.Text("subnetId"),
				Taken: fmt.Errorf("Resource.AlreadyAssociated: the specified association for route table %s conflicts with an existing association",
					c.Text("routeTableId")),
			}}
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
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
		Times: Times{Create: 3 * time.Second, Update: 2 * time.Second, Delete: time.Second},
	}
}

// groupRule is a rule of a security group, ingress or egress.
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
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}

// defaultSecurityGroup is the VPC's own group. It is taken over and left behind, never made or deleted.
func defaultSecurityGroup() *Resource {
	return &Resource{
		Token:    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
		IDPrefix: "sg-",
		Replace:  []string{"vpcId"},
		Refers:   []string{"vpcId"},
		Times:    Times{Create: 2 * time.Second, Update: 2 * time.Second},
	}
}

// volume is an EBS volume. It can grow, not shrink.
func volume() *Resource {
	return &Resource{
		Token:    "aws:ebs/volume:Volume",
		IDPrefix: "vol-",
		Required: []string{"availabilityZone"},
		Replace:  []string{"availabilityZone", "encrypted", "kmsKeyId", "snapshotId", "outpostArn"},
		// Polled every 10 s.
		Times: Times{Create: 11 * time.Second, Update: 11 * time.Second, Delete: 11 * time.Second},
	}
}

// volumeAttachment is a volume on an instance. With skipDestroy its deletion does nothing, and the end of the instance detaches.
func volumeAttachment() *Resource {
	return &Resource{
		Token:    "aws:ec2/volumeAttachment:VolumeAttachment",
		IDPrefix: "vai-",
		Required: []string{"deviceName", "instanceId", "volumeId"},
		Replace:  []string{"deviceName", "instanceId", "volumeId"},
		Refers:   []string{"instanceId", "volumeId"},
		Holds:    []string{"volumeId"},
		Claims: func(c *Call) []Claim {
			return []Claim{{
				Key:    "attachment of " + c.Text("volumeId"),
				Taken:  fmt.Errorf("VolumeInUse: %s is already attached to an instance", c.Text("volumeId")),
				Adopts: c.Text("instanceId") + " " + c.Text("deviceName"),
			}}
		},
		Run:   inOneZone,
		Times: Times{Create: 11 * time.Second},
	}
}

// inOneZone refuses the attachment of a volume to an instance in another zone.
func inOneZone(c *Call) (resource.PropertyMap, time.Duration, error) {
	if c.Op != Create {
		return nil, 0, nil
	}
	c.World.mu.Lock()
	defer c.World.mu.Unlock()
	volume := c.World.find("aws:ebs/volume:Volume", resource.ID(c.Text("volumeId")))
	machine := c.World.find("aws:ec2/instance:Instance", resource.ID(c.Text("instanceId")))
	if volume == nil || machine == nil {
		return nil, 0, nil
	}
	here := text(volume.Inputs, "availabilityZone")
	if subnet := c.World.find("aws:ec2/subnet:Subnet", resource.ID(text(machine.Inputs, "subnetId"))); subnet != nil && text(subnet.Outputs, "availabilityZone") != here {
		return nil, 0, fmt.Errorf("InvalidVolume.ZoneMismatch: The volume '%s' is not in the same availability zone as instance '%s'", volume.ID, machine.ID)
	}
	return nil, 0, nil
}

func logGroup() *Resource {
	return &Resource{
		Token:    "aws:cloudwatch/logGroup:LogGroup",
		AutoName: "name",
		ID:       func(c *Call) string { return c.Text("name") },
		Replace:  []string{"name", "namePrefix", "logGroupClass"},
		Outputs: []Output{{Name: "arn", Value: func(c *Call) any {
			return "arn:aws:logs:" + awsRegion + ":" + awsAccount + ":log-group:" + c.Text("name")
		}}},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}

func role() *Resource {
	return &Resource{
		Token:    "aws:iam/role:Role",
		AutoName: "name",
		ID:       func(c *Call) string { return c.Text("name") },
		Required: []string{"assumeRolePolicy"},
		Replace:  []string{"name", "namePrefix", "path"},
		Outputs: []Output{{Name: "arn", Value: func(c *Call) any {
			return "arn:aws:iam::" + awsAccount + ":role/" + c.Text("name")
		}}},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}

func rolePolicy() *Resource {
	return &Resource{
		Token:    "aws:iam/rolePolicy:RolePolicy",
		AutoName: "name",
		Required: []string{"policy", "role"},
		Replace:  []string{"name", "namePrefix", "role"},
		Refers:   []string{"role"},
		Holds:    []string{"role"},
		Times:    Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}

func flowLog() *Resource {
	return &Resource{
		Token:    "aws:ec2/flowLog:FlowLog",
		IDPrefix: "fl-",
		Replace:  []string{"vpcId", "trafficType", "logDestination", "iamRoleArn", "maxAggregationInterval"},
		Refers:   []string{"vpcId"},
		Times:    Times{Create: time.Second, Update: time.Second, Delete: time.Second},
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
				for _, path := range []resource.PropertyPath{{"privateIp"}, {"publicIp"}, {"tags", "Name"}} {
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
		Outputs: []Output{{Name: "publicIp", Follows: restarted}, {Name: "privateIp"}},
		// Polled every 10 s until running; a change of type stops and starts it.
		Times: Times{Create: 23 * time.Second, Update: 60 * time.Second, Delete: 40 * time.Second},
	}
}

// launch gives an instance its addresses. A stop and start gives it a new public one. It refuses a type that the zone does
// not offer, and a private address outside the subnet.
func launch(c *Call) (resource.PropertyMap, time.Duration, error) {
	if c.Op == Delete {
		return nil, 0, nil
	}
	zone, public := "us-west-1a", false
	if subnet := subnetOf(c); subnet != nil {
		zone, public = text(subnet.Outputs, "availabilityZone"), truth(subnet.Inputs, "mapPublicIpOnLaunch")
		if err := inSubnet(c.Text("privateIp"), text(subnet.Inputs, "cidrBlock")); err != nil {
			return nil, 0, err
		}
	}
	if kind := c.Text("instanceType"); kind != "" && !slices.Contains(ec2Zones[zone], kind) {
		return nil, 0, fmt.Errorf("creating EC2 Instance: api error Unsupported: Your requested instance type (%s) is not supported in your requested Availability Zone (%s)",
			kind, zone)
	}
	if c.Op == Update && !(Output{Follows: restarted}).follows(c.OldInputs, c.Inputs) {
		return nil, 2 * time.Second, nil
	}
	outputs := resource.PropertyMap{"publicIp": resource.NewStringProperty("")}
	n := c.World.serial()
	if c.Op == Create && c.Text("privateIp") == "" {
		outputs["privateIp"] = resource.NewStringProperty(fmt.Sprintf("192.168.%d.%d", 240+n/250, n%250+4))
	}
	if asked, ok := c.Inputs["associatePublicIpAddress"]; ok && asked.IsBool() {
		public = asked.BoolValue()
	}
	if public {
		// The block is reserved for benchmarks, so no real machine has the address.
		address := netip.AddrFrom4([4]byte{198, 18, byte(n / 250), byte(n%250 + 1)})
		outputs["publicIp"] = resource.NewStringProperty(address.String())
	}
	return outputs, 0, nil
}

// inSubnet refuses an address outside a subnet. Either may be left out.
func inSubnet(address, subnet string) error {
	if address == "" || subnet == "" {
		return nil
	}
	within, err := netip.ParsePrefix(subnet)
	if err != nil {
		return err
	}
	if one, err := netip.ParseAddr(address); err != nil || !within.Contains(one) {
		return fmt.Errorf("creating EC2 Instance: api error InvalidParameterValue: Address %s does not fall within the subnet's address range", address)
	}
	return nil
}

// subnetOf returns the subnet that an instance is in, or nil.
func subnetOf(c *Call) *Object {
	c.World.mu.Lock()
	defer c.World.mu.Unlock()
	return c.World.find("aws:ec2/subnet:Subnet", resource.ID(c.Text("subnetId")))
}

// getAMI finds the image that World.SetAMI set, whatever the filters.
func getAMI(w *World, _, args resource.PropertyMap) (resource.PropertyMap, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	result := args.Copy()
	result["id"], result["architecture"] = resource.NewStringProperty(w.ami), resource.NewStringProperty("x86_64")
	return result, nil
}

// instanceMemory is the memory of instance types, in MiB (EC2's list of instance types). Others have 8 GiB here.
var instanceMemory = map[string]float64{"t2.nano": 512, "t2.micro": 1024, "m3.medium": 3840}

// getInstanceType describes an instance type. All that the zones offer here are x86_64.
func getInstanceType(_ *World, _, args resource.PropertyMap) (resource.PropertyMap, error) {
	result := args.Copy()
	result["id"] = resource.NewStringProperty(text(args, "instanceType"))
	result["supportedArchitectures"] = stringArray([]string{"x86_64"})
	memory, known := instanceMemory[text(args, "instanceType")]
	if !known {
		memory = 8192
	}
	result["memorySize"] = resource.NewNumberProperty(memory)
	return result, nil
}

// zonesOf lists the availability zones of a provider's region, of awsRegion if it has none.
func zonesOf(config resource.PropertyMap) []string {
	region := cmp.Or(text(config, "region"), awsRegion)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(ec2Zones)), func(zone string) bool { return !strings.HasPrefix(zone, region) })
}

// getAvailabilityZones lists the zones of the region.
func getAvailabilityZones(_ *World, config, args resource.PropertyMap) (resource.PropertyMap, error) {
	result := args.Copy()
	result["id"] = resource.NewStringProperty(awsRegion)
	result["names"] = stringArray(zonesOf(config))
	return result, nil
}

// getInstanceTypeOfferings lists the zones and the instance types that they offer, of those asked for.
func getInstanceTypeOfferings(_ *World, config, args resource.PropertyMap) (resource.PropertyMap, error) {
	if location := text(args, "locationType"); location != "availability-zone" {
		return nil, fmt.Errorf("locationType is %q: the simulation lists offerings by availability-zone only", location)
	}
	var asked []string
	if filters := plain(args["filters"]); filters.IsArray() {
		for _, filter := range filters.ArrayValue() {
			if name := text(filter.ObjectValue(), "name"); name != "instance-type" {
				return nil, fmt.Errorf("filter %q: the simulation filters offerings by instance-type only", name)
			}
			asked = texts(filter.ObjectValue()["values"])
		}
	}
	var types, places []string
	for _, zone := range zonesOf(config) {
		for _, kind := range ec2Zones[zone] {
			if asked == nil || slices.Contains(asked, kind) {
				types, places = append(types, kind), append(places, zone)
			}
		}
	}
	result := args.Copy()
	result["id"] = resource.NewStringProperty(awsRegion)
	result["instanceTypes"], result["locations"] = stringArray(types), stringArray(places)
	return result, nil
}

// stringArray returns a property that holds strings.
func stringArray(list []string) resource.PropertyValue {
	values := make([]resource.PropertyValue, len(list))
	for i, text := range list {
		values[i] = resource.NewStringProperty(text)
	}
	return resource.NewArrayProperty(values)
}
