package stack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/infra"
	"swarm-scale/settings"
)

// The components.
const (
	machinesType = "swarm-scale:infra:Machines"
	swarmType    = "swarm-scale:cluster:StandaloneSwarm"
	appType      = "swarm-scale:app:VotingApp"
)

// TestTreeOfTheDevStack holds how many resources of each type each component has, and that every resource has an explicit provider.
func TestTreeOfTheDevStack(t *testing.T) {
	resources, err := deploy(t, awsSettings())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, r := range resources {
		parent := r.parent[strings.LastIndex(r.parent, "$")+1:]
		for _, component := range []string{machinesType, swarmType, appType} {
			if strings.Contains(r.parent, component) {
				parent = component
			}
		}
		if !strings.HasPrefix(parent, "swarm-scale:") {
			parent = "stack"
		}
		got[parent+" > "+r.token]++
		if r.custom && !strings.HasPrefix(r.token, "pulumi:providers:") && r.provider == "" {
			t.Errorf("%s %s has no explicit provider", r.token, r.name)
		}
	}
	delete(got, "stack > pulumi:pulumi:Stack")
	want := map[string]int{
		"stack > " + machinesType: 1,
		"stack > " + swarmType:    1,
		"stack > " + appType:      1,

		machinesType + " > pulumi:providers:aws":                                      1,
		machinesType + " > pulumi:providers:command":                                  1,
		machinesType + " > aws:ec2/vpc:Vpc":                                           1,
		machinesType + " > aws:ec2/subnet:Subnet":                                     1,
		machinesType + " > aws:ec2/internetGateway:InternetGateway":                   1,
		machinesType + " > aws:ec2/routeTable:RouteTable":                             1,
		machinesType + " > aws:ec2/route:Route":                                       1,
		machinesType + " > aws:ec2/routeTableAssociation:RouteTableAssociation":       1,
		machinesType + " > aws:ec2/securityGroup:SecurityGroup":                       6,
		machinesType + " > aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 10,
		machinesType + " > aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":   1,
		machinesType + " > aws:ec2/instance:Instance":                                 6,
		machinesType + " > aws:ebs/volume:Volume":                                     3, // two queues, the database
		machinesType + " > aws:ec2/volumeAttachment:VolumeAttachment":                 3,
		machinesType + " > aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":         1,
		machinesType + " > aws:ec2/flowLog:FlowLog":                                   1,
		machinesType + " > aws:cloudwatch/logGroup:LogGroup":                          1,
		machinesType + " > aws:iam/role:Role":                                         1,
		machinesType + " > aws:iam/rolePolicy:RolePolicy":                             1,
		machinesType + " > command:local:Command":                                     6 + 6 + 1, // host keys, presences, all packet filters
		machinesType + " > command:remote:Command":                                    6,         // packet filters
		swarmType + " > pulumi:providers:docker":                                      7,         // every node's engine, and the Swarm
		swarmType + " > command:remote:Command":                                       6 + 6 + 3 + 4 + 3,
		swarmType + " > docker:index/network:Network":                                 1,
		swarmType + " > docker:index/remoteImage:RemoteImage":                         5,
		appType + " > docker:index/image:Image":                                       4,
		appType + " > docker:index/remoteImage:RemoteImage":                           4,
		appType + " > docker:index/volume:Volume":                                     3,
		appType + " > docker:index/container:Container":                               8,
		appType + " > command:remote:Command":                                         4 + 2 + 2 + 1 + 7 + 1 + 1, // queues and web containers awaited, Redis's settings, retirements, the worker's queues, secrets, the roles, the check
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: %d, want %d", key, got[key], want[key])
		}
		delete(got, key)
	}
	for key, count := range got {
		t.Errorf("%s: %d, want none", key, count)
	}
}

// alone is the command, as JSON, of a server that no other container may have beside it on the folder.
func alone(t *testing.T, folder string, server ...string) string {
	t.Helper()
	script, err := os.ReadFile("../app/scripts/alone.sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(append([]string{"sh", "-c", string(script), "alone", folder}, server...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestContainersAreTheWalkThroughs holds the containers' inputs.
func TestContainersAreTheWalkThroughs(t *testing.T) {
	// Interlock does not serve the results page, HAProxy does.
	proxies := map[string]string{"aws": "", "hosts": "192.168.33.12"}
	for stackName, values := range map[string]map[string]string{"aws": awsSettings(), "hosts": hostsSettings(t)} {
		t.Run(stackName, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]struct {
				image, provider string
				environment     []string
				ports           string
				inputs          map[resource.PropertyKey]string // further inputs, as JSON
			}{
				"redis01": {"sha256:pulled", "swarm", []string{"constraint:node==frontend01"}, "", nil},
				"redis02": {"sha256:pulled", "swarm", []string{"constraint:node==frontend02"}, "", map[resource.PropertyKey]string{
					"command": alone(t, "/data", "docker-entrypoint.sh", "redis-server", "/run/secrets/redis.conf", "--include", "/usr/local/etc/redis/redis.conf"),
					"volumes": `[{"containerPath":"/data","volumeName":"redis02-data"},` +
						`{"containerPath":"/usr/local/etc/redis","hostPath":"/etc/swarm-scale/redis02","readOnly":true},{"containerPath":"/run/secrets","hostPath":"/etc/swarm-scale/redis02.secrets","readOnly":true}]`,
				}},
				"frontend01": {"sha256:built", "swarm", []string{"constraint:node==frontend01", "WEB_VOTE_NUMBER=01", "REDIS_ADDRESS=redis01:6379", "OPTION_A=Cats", "OPTION_B=Dogs", "VOTER_KEY_FILE=/run/secrets/voter-key", "REDIS_PASSWORD_FILE=/run/secrets/redis-password"},
					"192.168.33.20:5000→80", map[resource.PropertyKey]string{"hostname": `"votingapp"`, "domainname": `"local"`}},
				"frontend02": {"sha256:built", "swarm", []string{"constraint:node==frontend02", "WEB_VOTE_NUMBER=02", "REDIS_ADDRESS=redis02:6379", "OPTION_A=Cats", "OPTION_B=Dogs", "VOTER_KEY_FILE=/run/secrets/voter-key", "REDIS_PASSWORD_FILE=/run/secrets/redis-password"},
					"192.168.33.21:5000→80", nil},
				"pg": {"sha256:pulled", "swarm", []string{"constraint:node==store", "PGDATA=/var/lib/postgresql/data", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"}, "",
					map[resource.PropertyKey]string{
						"command": alone(t, "/var/lib/postgresql/data", "docker-entrypoint.sh", "postgres"),
						"volumes": `[{"containerPath":"/var/lib/postgresql/data","volumeName":"pg-data"},` +
							`{"containerPath":"/run/secrets","hostPath":"/etc/swarm-scale/pg.secrets","readOnly":true}]`,
					}},
				"worker01": {"sha256:built", "swarm", []string{"constraint:node==worker01", "WORKER_NUMBER=01", "REDIS_ADDRESSES_FILE=/etc/vote-worker/queues", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password", "REDIS_PASSWORD_FILE=/run/secrets/redis-password"}, "", nil},
				"results-app": {"sha256:built", "swarm", []string{"constraint:node==store", "OPTION_A=Cats", "OPTION_B=Dogs",
					"CONNECTIONS_PER_ADDRESS=1000", "VIEWERS_PER_ADDRESS=500", "VOTE_COPIES=1", "TRUSTED_PROXIES=" + proxies[stackName], "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"},
					"192.168.33.250:80→80", nil},
			} {
				c := find(t, resources, "docker:index/container:Container", name)
				if got := plain(c.inputs["image"]).StringValue(); got != want.image {
					t.Errorf("%s: image %s, want %s", name, got, want.image)
				}
				if !strings.Contains(c.provider, "::"+want.provider+"::") {
					t.Errorf("%s: provider %s, want %s", name, c.provider, want.provider)
				}
				environment, _ := json.Marshal(want.environment)
				if got := text(t, c.inputs["envs"]); got != string(environment) {
					t.Errorf("%s: environment %s, want %s", name, got, environment)
				}
				if got := ports(c.inputs); got != want.ports {
					t.Errorf("%s: ports %q, want %q", name, got, want.ports)
				}
				for key, value := range want.inputs {
					if got := text(t, c.inputs[key]); got != value {
						t.Errorf("%s: %s is %s, want %s", name, key, got, value)
					}
				}
				for key, value := range map[resource.PropertyKey]string{"restart": `"unless-stopped"`, "networkMode": `"mynet"`, "name": fmt.Sprintf("%q", name),
					"mustRun": "false", "labels": `[{"label":"swarm-scale","value":""}]`} {
					if got := text(t, c.inputs[key]); got != value {
						t.Errorf("%s: %s is %s, want %s", name, key, got, value)
					}
				}
				if !c.inputs.HasValue("healthcheck") {
					t.Errorf("%s: has no health check", name)
				}
				if !c.request.GetDeleteBeforeReplace() {
					t.Errorf("%s: has a fixed name and is not deleted before it is replaced", name)
				}
			}
		})
	}
}

// ports shows a container's ports as ADDRESS:OUTSIDE→INSIDE, separated by spaces.
func ports(inputs resource.PropertyMap) string {
	var shown []string
	for _, port := range plain(inputs["ports"]).ArrayValue() {
		p := port.ObjectValue()
		address := ""
		if p.HasValue("ip") {
			address = p["ip"].StringValue() + ":"
		}
		shown = append(shown, fmt.Sprintf("%s%v→%v", address, p["external"].NumberValue(), p["internal"].NumberValue()))
	}
	return strings.Join(shown, " ")
}

// TestLoadBalancersAreOutsideTheCluster holds that both kinds run on their node's own engine, and find the frontends.
func TestLoadBalancersAreOutsideTheCluster(t *testing.T) {
	for _, name := range []string{"interlock", "haproxy"} {
		t.Run(name, func(t *testing.T) {
			values := awsSettings()
			values["loadBalancer"] = name
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			c := find(t, resources, "docker:index/container:Container", "load-balancer")
			if got := text(t, c.inputs["name"]); got != fmt.Sprintf("%q", name) {
				t.Errorf("the container's name is %s", got)
			}
			if !strings.Contains(c.provider, "::interlock::") {
				t.Errorf("provider %s, want the node's own engine", c.provider)
			}
			if got := ports(c.inputs); got != "80→80" {
				t.Errorf("ports %q", got)
			}
			if c.inputs.HasValue("networkMode") || c.inputs.HasValue("envs") {
				t.Errorf("it is outside the cluster, but has %v", c.inputs)
			}
			if name == "interlock" {
				if got := text(t, c.inputs["command"]); got != `["--swarm-url","tcp://192.168.33.11:3375","--plugin","haproxy","start"]` {
					t.Errorf("command %s", got)
				}
				return
			}
			configuration := text(t, find(t, resources, "command:remote:Command", "haproxy-configuration").inputs["stdin"])
			for _, want := range []string{"server frontend01 192.168.33.20:5000", "server frontend02 192.168.33.21:5000", "option httpchk GET /readyz"} {
				if !strings.Contains(configuration, want) {
					t.Errorf("the configuration lacks %q", want)
				}
			}
			if strings.Contains(configuration, "stats:interlock") {
				t.Error("the statistics have the walk-through's password")
			}
		})
	}
}

// TestFirewallsOpenOnlyTheTwoPages holds every ingress rule. Only the two pages are open to everybody.
func TestFirewallsOpenOnlyTheTwoPages(t *testing.T) {
	values := awsSettings()
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range resources {
		if r.token != "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule" {
			continue
		}
		from := r.inputs["cidrIpv4"]
		if !r.inputs.HasValue("cidrIpv4") {
			from = r.inputs["referencedSecurityGroupId"]
		}
		if r.inputs["fromPort"].NumberValue() != r.inputs["toPort"].NumberValue() {
			t.Errorf("%s opens a range of ports", r.name)
		}
		got = append(got, fmt.Sprintf("%s %v/%s from %s", plain(r.inputs["securityGroupId"]).StringValue(), r.inputs["fromPort"].NumberValue(),
			r.inputs["ipProtocol"].StringValue(), plain(from).StringValue()))
	}
	slices.Sort(got)
	want := []string{
		"frontends-id 5000/tcp from vote-page-id",
		"manager-id 3375/tcp from members-id",
		"manager-id 8500/tcp from members-id",
		"members-id 2375/tcp from members-id",
		"members-id 4789/udp from members-id",
		"members-id 7946/tcp from members-id",
		"members-id 7946/udp from members-id",
		"operator-id 22/tcp from 203.0.113.7/32",
		"results-page-id 80/tcp from 0.0.0.0/0",
		"vote-page-id 80/tcp from 0.0.0.0/0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the rules are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for node, want := range map[string]string{
		"manager": `["operator-id","members-id","manager-id"]`, "interlock": `["operator-id","members-id","vote-page-id"]`,
		"frontend01": `["operator-id","members-id","frontends-id"]`, "worker01": `["operator-id","members-id"]`,
		"store": `["operator-id","members-id","results-page-id"]`,
	} {
		if got := text(t, find(t, resources, "aws:ec2/instance:Instance", node).inputs["vpcSecurityGroupIds"]); got != want {
			t.Errorf("%s is in %s, want %s", node, got, want)
		}
	}
}

// TestNothingRunsBeforeThePacketFilters holds that every node has a filter, and that all filters come before any other script and
// any container.
func TestNothingRunsBeforeThePacketFilters(t *testing.T) {
	for name, values := range map[string]map[string]string{"aws": awsSettings(), "hosts": hostsSettings(t)} {
		t.Run(name, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			all := find(t, resources, "command:local:Command", "packet-filters")
			for _, node := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
				find(t, resources, "command:remote:Command", node+"-packet-filter")
				if !slices.ContainsFunc(all.request.GetDependencies(), isURNOf(node+"-packet-filter")) {
					t.Errorf("all filters are there before that of %s", node)
				}
			}
			for _, r := range resources {
				if r.token == "command:remote:Command" && !strings.HasSuffix(r.name, "-packet-filter") &&
					!slices.ContainsFunc(r.request.GetDependencies(), isURNOf("packet-filters")) {
					t.Errorf("%s does not wait for the packet filters", r.name)
				}
			}
			for node, engine := range map[string]string{"frontend01": "redis01", "interlock": "load-balancer", "store": "pg"} {
				if !after(resources, find(t, resources, "docker:index/container:Container", engine), node+"-engine") {
					t.Errorf("%s does not wait for the engine of %s", engine, node)
				}
			}
		})
	}
}

// isURNOf returns whether a URN is of the resource with that name.
func isURNOf(name string) func(string) bool {
	return func(urn string) bool { return strings.HasSuffix(urn, "::"+name) }
}

// after reports whether a resource waits for the one with that name, maybe by way of others.
func after(resources []registered, r registered, name string) bool {
	return slices.ContainsFunc(r.request.GetDependencies(), func(urn string) bool {
		if isURNOf(name)(urn) {
			return true
		}
		at := slices.IndexFunc(resources, func(other registered) bool {
			return isURNOf(other.name)(urn) && strings.Contains(urn, other.token)
		})
		return at >= 0 && after(resources, resources[at], name)
	})
}

// TestPublishedPortsAreDescribed holds that every port which a container publishes is in the description of traffic, and so in the
// security groups and the packet filters.
func TestPublishedPortsAreDescribed(t *testing.T) {
	resources, err := deploy(t, awsSettings())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		if r.token != "docker:index/container:Container" {
			continue
		}
		for _, port := range plain(r.inputs["ports"]).ArrayValue() {
			outside := int(port.ObjectValue()["external"].NumberValue())
			if !slices.ContainsFunc(traffic(settings.Settings{}), func(rule infra.Rule) bool { return rule.Port == outside && rule.Protocol == infra.TCP }) {
				t.Errorf("%s publishes %d, which no rule describes", r.name, outside)
			}
		}
	}
}

// TestMachinesAreTheWalkThroughs holds the inputs of every EC2 instance, and that every resource has tags.
func TestMachinesAreTheWalkThroughs(t *testing.T) {
	resources, err := deploy(t, awsSettings())
	if err != nil {
		t.Fatal(err)
	}
	if zone := find(t, resources, "aws:ec2/subnet:Subnet", "subnet").inputs["availabilityZone"].StringValue(); zone != "us-west-1c" {
		t.Errorf("the subnet is in %s; only us-west-1c offers every instance type", zone)
	}
	for name, want := range map[string]struct{ kind, address string }{
		"manager": {"t2.micro", "192.168.33.11"}, "interlock": {"t2.micro", "192.168.33.12"}, "frontend01": {"t2.micro", "192.168.33.20"},
		"frontend02": {"t2.micro", "192.168.33.21"}, "worker01": {"t2.micro", "192.168.33.200"}, "store": {"m3.medium", "192.168.33.250"},
	} {
		machine := find(t, resources, "aws:ec2/instance:Instance", name)
		for key, value := range map[resource.PropertyKey]string{
			"instanceType": fmt.Sprintf("%q", want.kind), "privateIp": fmt.Sprintf("%q", want.address), "ami": `"ami-0123456789abcdef0"`,
			"keyName": `"poll"`, "associatePublicIpAddress": "true",
			"metadataOptions": `{"httpEndpoint":"enabled","httpPutResponseHopLimit":1,"httpTokens":"required"}`,
			"tags":            fmt.Sprintf(`{"ManagedBy":"pulumi","Name":%q,"Project":"swarm-scale","Stack":"dev"}`, name),
		} {
			if got := text(t, machine.inputs[key]); got != value {
				t.Errorf("%s: %s is %s, want %s", name, key, got, value)
			}
		}
		if disk := plain(machine.inputs["rootBlockDevice"]).ObjectValue(); !disk["encrypted"].BoolValue() {
			t.Errorf("%s: its disk is not encrypted", name)
		}
		if !machine.request.GetDeleteBeforeReplace() || !slices.Contains(machine.request.GetIgnoreChanges(), "ami") {
			t.Errorf("%s: want it deleted before it is replaced, and not replaced for a newer AMI", name)
		}
		if !machine.inputs["userDataBase64"].IsSecret() && !machine.inputs["userDataBase64"].IsOutput() {
			t.Errorf("%s: its user data, which has its host key, is no secret", name)
		}
	}
	for _, r := range resources {
		if taggable := strings.HasPrefix(r.token, "aws:") && !strings.Contains(r.token, "/route:") && !strings.Contains(r.token, "/routeTableAssociation:") &&
			!strings.Contains(r.token, "ttachment:") && !strings.Contains(r.token, "/rolePolicy:"); taggable && !r.inputs.HasValue("tags") {
			t.Errorf("%s %s has no tags", r.token, r.name)
		}
	}
	values := awsSettings()
	values["ami"] = "ami-11111111111111111"
	resources, err = deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	machine := find(t, resources, "aws:ec2/instance:Instance", "store")
	if machine.inputs["ami"].StringValue() != "ami-11111111111111111" || slices.Contains(machine.request.GetIgnoreChanges(), "ami") {
		t.Error("want the AMI of the settings used, and a changed one not ignored")
	}
}

// TestDataHasDisksOfItsOwn holds the disks of the queues and the database, and that an engine waits for its disk.
func TestDataHasDisksOfItsOwn(t *testing.T) {
	values := awsSettings()
	values["dataDiskSize"] = "40"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"frontend01", "frontend02", "store"} {
		disk := find(t, resources, "aws:ebs/volume:Volume", node+"-disk")
		if text(t, disk.inputs["encrypted"]) != "true" || text(t, disk.inputs["size"]) != "40" || disk.request.GetProtect() {
			t.Errorf("%s: the disk has %v", node, disk.inputs)
		}
		attachment := find(t, resources, "aws:ec2/volumeAttachment:VolumeAttachment", node+"-disk-attachment")
		if text(t, attachment.inputs["instanceId"]) != `"`+node+`-id"` || text(t, attachment.inputs["volumeId"]) != `"`+node+`-disk-id"` {
			t.Errorf("%s: the attachment has %v", node, attachment.inputs)
		}
		script := text(t, find(t, resources, "command:remote:Command", node+"-disk-mount").inputs["stdin"])
		for _, want := range []string{"export DISK=" + node + "-disk-id", "export FOLDER=/var/lib/docker/volumes", "export DISK_SIZE=40"} {
			if !strings.Contains(script, want) {
				t.Errorf("%s: the script of the disk lacks %q", node, want)
			}
		}
		engine := find(t, resources, "command:remote:Command", node+"-engine")
		if !slices.ContainsFunc(engine.request.GetDependencies(), func(urn string) bool { return strings.HasSuffix(urn, "::"+node+"-disk-mount") }) {
			t.Errorf("%s: the engine does not wait for the disk: %v", node, engine.request.GetDependencies())
		}
	}
}

// TestFlowLogsHaveLeastRights holds what the role of the flow logs may do, and each kind of them.
func TestFlowLogsHaveLeastRights(t *testing.T) {
	for kind, want := range map[string]string{"": `"REJECT"`, "all": `"ALL"`, "none": ""} {
		values := awsSettings()
		values["flowLogs"] = kind
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			for _, r := range resources {
				if strings.HasPrefix(r.token, "aws:iam/") || strings.HasPrefix(r.token, "aws:cloudwatch/") || strings.Contains(r.token, "flowLog") {
					t.Errorf("without flow logs %s %s was registered", r.token, r.name)
				}
			}
			continue
		}
		if got := text(t, find(t, resources, "aws:ec2/flowLog:FlowLog", "flow-logs").inputs["trafficType"]); got != want {
			t.Errorf("flowLogs %q: the traffic is %s, want %s", kind, got, want)
		}
		if got := text(t, find(t, resources, "aws:cloudwatch/logGroup:LogGroup", "flow-logs-group").inputs["retentionInDays"]); got != "30" {
			t.Errorf("flow logs are kept for %s days", got)
		}
		for _, part := range []struct{ token, name, input, want string }{
			{"aws:iam/rolePolicy:RolePolicy", "flow-logs-rights", "policy", `{"Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents","logs:DescribeLogGroups",` +
				`"logs:DescribeLogStreams"],"Resource":"arn:aws:of:flow-logs-group:*"}],"Version":"2012-10-17"}`},
			{"aws:iam/role:Role", "flow-logs-role", "assumeRolePolicy", `{"Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":["sts:AssumeRole"],` +
				`"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}],"Version":"2012-10-17"}`},
		} {
			if got := plain(find(t, resources, part.token, part.name).inputs[resource.PropertyKey(part.input)]).StringValue(); got != part.want {
				t.Errorf("%s is\n%s\nwant\n%s", part.input, got, part.want)
			}
		}
	}
	resources, err := deploy(t, awsSettings())
	if err != nil {
		t.Fatal(err)
	}
	if group := find(t, resources, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "default-security-group"); group.inputs.HasValue("ingress") || group.inputs.HasValue("egress") {
		t.Errorf("the VPC's default security group is open: %v", group.inputs)
	}
}

// TestTerminationProtectionIsASetting holds that it protects machines and data disks, from AWS and from Pulumi.
func TestTerminationProtectionIsASetting(t *testing.T) {
	for _, protected := range []bool{false, true} {
		values := awsSettings()
		values["terminationProtection"] = fmt.Sprint(protected)
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
			machine := find(t, resources, "aws:ec2/instance:Instance", name)
			if text(t, machine.inputs["disableApiTermination"]) != fmt.Sprint(protected) || machine.request.GetProtect() != protected {
				t.Errorf("terminationProtection %v: %s has %v, and Pulumi protects it: %v", protected, name, machine.inputs["disableApiTermination"], machine.request.GetProtect())
			}
		}
		if disk := find(t, resources, "aws:ebs/volume:Volume", "store-disk"); disk.request.GetProtect() != protected {
			t.Errorf("terminationProtection %v: Pulumi protects the store's disk: %v", protected, disk.request.GetProtect())
		}
	}
}

// TestMachinesCanRunWhatIsOnThem holds that AWS is asked about the instance types and the AMI before anything is made.
func TestMachinesCanRunWhatIsOnThem(t *testing.T) {
	all := func(kind string) map[string]string {
		values := awsSettings()
		values["loadBalancer"] = "haproxy"
		for _, role := range []string{"manager", "loadBalancer", "frontend", "worker", "store"} {
			values[role+"InstanceType"] = kind
		}
		return values
	}
	for name, test := range map[string]struct {
		values map[string]string
		ami    string
		faults []string // keys; none: it is right
	}{
		"x86 types on an x86 image":     {all("m5.large"), "ami-0123456789abcdef0", nil},
		"arm types on the newest image": {all("t4g.micro"), "", nil},
		"arm types on an arm image":     {all("m7g.large"), armImage, nil},
		"arm types on an x86 image":     {all("m7g.large"), "ami-0123456789abcdef0", []string{"ami"}},
		"x86 types on an arm image":     {awsSettings(), armImage, []string{"ami"}},
		"arm by another name":           {all("p6e-gb200.36xlarge"), "", []string{"managerInstanceType"}},
		"types without enough memory":   {all("t3.nano"), "", []string{"loadBalancerInstanceType", "frontendInstanceType", "storeInstanceType"}},
		"both":                          {all("p6e-gb200.36xlarge"), armImage, []string{"managerInstanceType", "ami"}},
	} {
		test.values["ami"] = test.ami
		resources, err := deploy(t, test.values)
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		// What is right gets as far as the zones, none of which offers it. So the programs need not be built.
		case test.faults == nil && !strings.Contains(err.Error(), "no availability zone"):
			t.Errorf("%s: %v", name, err)
		}
		for _, key := range test.faults {
			if !strings.Contains(fmt.Sprint(err), "swarm-scale:"+key+" is ") {
				t.Errorf("%s: want a fault of %s: %v", name, key, err)
			}
		}
		for _, r := range resources {
			if test.faults != nil && strings.HasPrefix(r.token, "aws:") {
				t.Errorf("%s: %s %s was registered", name, r.token, r.name)
			}
		}
	}
}

// TestDeprecatedImageIsFound holds that an AMI is looked up although AWS has deprecated it: machines may run it.
func TestDeprecatedImageIsFound(t *testing.T) {
	values := awsSettings()
	values["ami"] = "ami-0123456789abcdef0"
	m, err := deployWithMocks(t, values)
	if asked := m.lookups["aws:ec2/getAmi:getAmi"]; err != nil || !strings.Contains(asked, "includeDeprecated:true") {
		t.Errorf("the AMI is looked up as %s (%v)", asked, err)
	}
}

// TestUbuntuIsCanonicalsInEveryPartition holds whose image is looked up.
func TestUbuntuIsCanonicalsInEveryPartition(t *testing.T) {
	for region, want := range map[string]string{"us-west-1": "099720109477", "cn-north-1": "837727238323", "us-gov-west-1": "513442679011"} {
		values := awsSettings()
		values["region"], values["availabilityZone"] = region, region+"c"
		m, err := deployWithMocks(t, values)
		if err != nil || !strings.Contains(m.lookups["aws:ec2/getAmi:getAmi"], want) {
			t.Errorf("in %s Ubuntu is looked up as %s (%v)", region, m.lookups["aws:ec2/getAmi:getAmi"], err)
		}
	}
}

// TestResourcesFollowTheirMachine holds that a resource on a machine is dropped with the machine, and replaced or run again on the
// next one.
func TestResourcesFollowTheirMachine(t *testing.T) {
	for name, values := range map[string]map[string]string{"aws": awsSettings(), "hosts": hostsSettings(t)} {
		t.Run(name, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range resources {
				if !r.custom || strings.HasPrefix(r.token, "pulumi:") || strings.HasPrefix(r.token, "aws:") || r.token == "command:local:Command" {
					continue
				}
				if r.request.GetDeletedWith() == "" {
					t.Errorf("%s %s would be deleted on a machine that is gone", r.token, r.name)
				}
				// The network follows Consul instead.
				if strings.HasPrefix(r.token, "docker:") && len(r.request.GetReplaceWith()) == 0 && r.request.GetReplacementTrigger() == nil {
					t.Errorf("%s %s would not be replaced on another machine", r.token, r.name)
				}
				if r.token == "command:remote:Command" && !strings.Contains(text(t, r.inputs["stdin"]), "SWARM_SCALE_MACHINE=") {
					t.Errorf("%s %s would not run again on another machine", r.token, r.name)
				}
			}
		})
	}
}

// TestSecretsAreSecretInputs holds that no input has a secret in plain text.
func TestSecretsAreSecretInputs(t *testing.T) {
	for name, values := range map[string]map[string]string{"aws": awsSettings(), "hosts": hostsSettings(t)} {
		t.Run(name, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for _, r := range resources {
				for key, value := range r.inputs {
					if shown := openText(value); strings.Contains(shown, password) || strings.Contains(shown, voterKey) || strings.Contains(shown, "PRIVATE KEY") {
						t.Errorf("%s %s: input %s holds a secret in plain text", r.token, r.name, key)
					}
					if strings.Contains(fmt.Sprint(plain(value).Mappable()), password) {
						kept++
					}
				}
			}
			if kept != 2 { // the file of the database, and what sets its roles
				t.Errorf("the password is in %d inputs, want 2", kept)
			}
		})
	}
}

// openText returns everything in a value that is not secret.
func openText(value resource.PropertyValue) string {
	switch {
	case value.IsSecret():
		return ""
	case value.IsOutput():
		if value.OutputValue().Secret {
			return ""
		}
		return openText(value.OutputValue().Element)
	case value.IsArray():
		var all strings.Builder
		for _, element := range value.ArrayValue() {
			all.WriteString(openText(element) + "\n")
		}
		return all.String()
	case value.IsObject():
		var all strings.Builder
		for _, element := range value.ObjectValue() {
			all.WriteString(openText(element) + "\n")
		}
		return all.String()
	}
	return fmt.Sprint(value.Mappable())
}

// TestHostsNeedNoCloud holds that a stack on existing machines has no AWS resource, and verifies every host key.
func TestHostsNeedNoCloud(t *testing.T) {
	resources, err := deploy(t, hostsSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		if strings.Contains(r.token, "aws") {
			t.Errorf("%s %s was registered", r.token, r.name)
		}
		if r.token == "command:remote:Command" {
			connection := plain(r.inputs["connection"]).ObjectValue()
			if !strings.HasPrefix(connection["hostKey"].StringValue(), "ssh-ed25519 ") || connection["port"].NumberValue() != 2222 || connection["user"].StringValue() != "root" {
				t.Errorf("%s: connects by %v", r.name, connection)
			}
			if connection.HasValue("privateKey") {
				t.Errorf("%s: has a private key, although the agent is to be used", r.name)
			}
		}
	}
	provider := find(t, resources, "pulumi:providers:docker", "frontend02")
	if got := plain(provider.inputs["host"]).StringValue(); got != "ssh://root@192.168.33.21:2222" {
		t.Errorf("docker's host is %s", got)
	}
	if options := text(t, provider.inputs["sshOpts"]); !strings.Contains(options, "StrictHostKeyChecking=yes") || !strings.Contains(options, "KnownHostsCommand=/bin/echo %H ssh-ed25519 ") {
		t.Errorf("docker's ssh options are %s", options)
	}
}

// TestBadSettingsRegisterNothing holds that all faults are reported at once, before any resource is registered.
func TestBadSettingsRegisterNothing(t *testing.T) {
	resources, err := deploy(t, map[string]string{"frontends": "0", "operatorCidr": "0.0.0.0/0", "loadBalancer": "nginx"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"nothing was changed", "swarm-scale:frontends", "swarm-scale:operatorCidr", "swarm-scale:loadBalancer", "swarm-scale:keyPair", "swarm-scale:postgresPassword", "swarm-scale:voterKey"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	for _, r := range resources {
		if r.token != "pulumi:pulumi:Stack" {
			t.Errorf("%s %s was registered", r.token, r.name)
		}
	}
}

// TestScaleOfTheLargestCluster holds the last frontend's and the last worker's inputs.
func TestScaleOfTheLargestCluster(t *testing.T) {
	values := awsSettings()
	values["frontends"], values["workers"] = "180", "50"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	if c := find(t, resources, "docker:index/container:Container", "frontend180"); ports(c.inputs) != "192.168.33.199:5000→80" {
		t.Errorf("frontend180 publishes %s", ports(c.inputs))
	}
	if c := find(t, resources, "command:remote:Command", "worker50-configuration"); !strings.Contains(text(t, c.inputs["stdin"]), "redis180:6379\\n") {
		t.Errorf("worker50 is told %s", text(t, c.inputs["stdin"]))
	}
}
