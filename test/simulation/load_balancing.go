package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// longestBalancerName is how many characters the name of a load balancer or a target group may have.
const longestBalancerName = 32

// balancerARN is the ARN, and the ID, of something of Elastic Load Balancing.
func balancerARN(kind, name string) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:%s/%s/%s", awsRegion, awsAccount, kind, name, hexDigits(nil, 16))
}

// shortName refuses a name that AWS refuses.
func shortName(c *Call) []plugin.CheckFailure {
	if name := c.Text("name"); len(name) > longestBalancerName {
		return []plugin.CheckFailure{{Property: "name", Reason: fmt.Sprintf("%q cannot be longer than %d characters", name, longestBalancerName)}}
	}
	return nil
}

// ownARN is the output arn, which is the object's ID.
func ownARN() Output { return Output{Name: "arn", Value: func(c *Call) any { return string(c.ID) }} }

// networkLoadBalancer is a load balancer of the type network.
func networkLoadBalancer() *Resource {
	return &Resource{
		Token:    "aws:lb/loadBalancer:LoadBalancer",
		AutoName: "name",
		Check:    shortName,
		ID:       func(c *Call) string { return balancerARN("loadbalancer/net", c.Text("name")) },
		Defaults: map[string]any{"enableDeletionProtection": false, "enableCrossZoneLoadBalancing": false, "internal": false, "ipAddressType": "ipv4"},
		Replace:  []string{"name", "namePrefix", "loadBalancerType", "internal"},
		// A subnet may be added. One that goes makes another load balancer, with another name in DNS.
		ReplaceIf: func(input string, olds, news resource.PropertyMap) bool {
			return input == "subnets" && slices.ContainsFunc(texts(olds["subnets"]), func(subnet string) bool { return !slices.Contains(texts(news["subnets"]), subnet) })
		},
		Refers: []string{"subnets"},
		Holds:  []string{"subnets"},
		Claims: func(c *Call) []Claim {
			return []Claim{{Key: "load balancer " + c.Text("name"), Taken: fmt.Errorf("DuplicateLoadBalancerName: A load balancer with the name %q exists", c.Text("name"))}}
		},
		Run: func(c *Call) (resource.PropertyMap, time.Duration, error) {
			if c.Op == Delete && truth(c.OldInputs, "enableDeletionProtection") {
				return nil, 0, errors.New("OperationNotPermitted: Load balancer cannot be deleted because deletion protection is enabled")
			}
			return nil, 0, nil
		},
		Outputs: []Output{
			ownARN(),
			{Name: "dnsName", Value: func(c *Call) any { return c.Text("name") + "-0123456789abcdef.elb." + awsRegion + ".amazonaws.com" }},
			constant("zoneId", "Z24FKFUX50B4VW"),
		},
		// Polled until it is active.
		Times: Times{Create: 150 * time.Second, Update: 5 * time.Second, Delete: 10 * time.Second},
	}
}

func targetGroup() *Resource {
	return &Resource{
		Token:    "aws:lb/targetGroup:TargetGroup",
		AutoName: "name",
		Check:    shortName,
		ID:       func(c *Call) string { return balancerARN("targetgroup", c.Text("name")) },
		Defaults: map[string]any{"targetType": "instance"},
		Replace:  []string{"name", "namePrefix", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType"},
		Refers:   []string{"vpcId"},
		Claims: func(c *Call) []Claim {
			return []Claim{{Key: "target group " + c.Text("name"), Taken: fmt.Errorf("DuplicateTargetGroupName: A target group with the name %q exists", c.Text("name"))}}
		},
		InUse: func(c *Call, other *Object) error {
			if other.Type == listenerToken && text(other.Inputs, "defaultActions", 0, "targetGroupArn") == string(c.ID) {
				return fmt.Errorf("ResourceInUse: Target group '%s' is currently in use by a listener or a rule", c.ID)
			}
			return nil
		},
		Outputs: []Output{ownARN()},
		Times:   Times{Create: 2 * time.Second, Update: 2 * time.Second, Delete: time.Second},
	}
}

// targetGroupAttachment is an instance in a target group. AWS takes one out that is terminated.
func targetGroupAttachment() *Resource {
	return &Resource{
		Token:    "aws:lb/targetGroupAttachment:TargetGroupAttachment",
		IDPrefix: "targetgroup-",
		Required: []string{"targetGroupArn", "targetId"},
		Replace:  []string{"targetGroupArn", "targetId", "port", "availabilityZone"},
		Refers:   []string{"targetGroupArn", "targetId"},
		Times:    Times{Create: time.Second, Delete: time.Second},
	}
}

// listenerToken is the type of a load balancer's listeners.
const listenerToken = "aws:lb/listener:Listener"

func listener() *Resource {
	return &Resource{
		Token:    listenerToken,
		ID:       func(c *Call) string { return balancerARN("listener/net", c.Name) },
		Required: []string{"loadBalancerArn", "defaultActions"},
		Replace:  []string{"loadBalancerArn"},
		Refers:   []string{"loadBalancerArn"},
		Claims: func(c *Call) []Claim {
			return []Claim{{
				Key:   fmt.Sprint("listener ", c.Text("loadBalancerArn"), c.Inputs["port"]),
				Taken: fmt.Errorf("DuplicateListener: A listener already exists on this port for this load balancer '%s'", c.Text("loadBalancerArn")),
			}}
		},
		Outputs: []Output{ownARN()},
		Times:   Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}
