package settings

import (
	"maps"
	"slices"

	"swarm-scale/topology"
)

// The keys of the settings, as they stand in Pulumi.<stack>.yaml under the project's name.
const (
	keyPlatform             = "platform"
	keyFrontends            = "frontends"
	keyWorkers              = "workers"
	keyRegion               = "region"
	keyAvailabilityZone     = "availabilityZone"
	keyVPC                  = "vpcCidr"
	keySubnet               = "subnetCidr"
	keyKeyPair              = "keyPair"
	keyOperatorCIDR         = "operatorCidr"
	keyAllowSSHFromAnywhere = "allowSshFromAnywhere"
	keyAMI                  = "ami"
	keyArchitecture         = "architecture"
	keyDiskSize             = "diskSize"
	keyHosts                = "hosts"
	keySSHUser              = "sshUser"
	keySSHPrivateKeyFile    = "sshPrivateKeyFile"
	keyLoadBalancer         = "loadBalancer"
	keyOptionA              = "optionA"
	keyOptionB              = "optionB"
	keyAppendFsync          = "redisAppendfsync"
	keyPostgresPassword     = "postgresPassword"
	keyVoterKey             = "voterKey"
	keyRedisImage           = "redisImage"
	keyPostgresImage        = "postgresImage"
	keyConsulImage          = "consulImage"
	keySwarmImage           = "swarmImage"
	keyHAProxyImage         = "haproxyImage"
	keyInterlockImage       = "interlockImage"
)

// countKeys has the key of the number of a role's nodes, where that can be set.
var countKeys = map[topology.Role]string{
	topology.Frontend: keyFrontends,
	topology.Worker:   keyWorkers,
}

// CountKeys has the key of the number of a role's nodes, for the roles whose number can be set.
func CountKeys() map[topology.Role]string { return maps.Clone(countKeys) }

// instanceTypeKeys has the key of each role's instance type.
var instanceTypeKeys = map[topology.Role]string{
	topology.Manager:      "managerInstanceType",
	topology.LoadBalancer: "loadBalancerInstanceType",
	topology.Frontend:     "frontendInstanceType",
	topology.Worker:       "workerInstanceType",
	topology.Store:        "storeInstanceType",
}

// defaults has every setting there is with the text that stands for it when nobody sets it. An empty text means that the
// setting has no default: either it may stay away, or validation asks for it.
//
// Sizes, ranges and the region are the walk-through's. The images are pinned: a stack changes what it runs only when
// somebody changes its settings.
var defaults = map[string]string{
	keyPlatform:             string(AWS),
	keyFrontends:            "2",
	keyWorkers:              "1",
	keyRegion:               "us-west-1",
	keyAvailabilityZone:     "",
	keyVPC:                  "192.168.0.0/16",
	keySubnet:               "192.168.33.0/24",
	keyKeyPair:              "",
	keyOperatorCIDR:         "",
	keyAllowSSHFromAnywhere: "false",
	keyAMI:                  "",
	keyArchitecture:         "",
	keyDiskSize:             "16",
	keyHosts:                "[]",
	keySSHUser:              "ubuntu",
	keySSHPrivateKeyFile:    "",
	keyLoadBalancer:         string(HAProxy),
	keyOptionA:              "Cats",
	keyOptionB:              "Dogs",
	keyAppendFsync:          "always",
	keyPostgresPassword:     "",
	keyVoterKey:             "",
	keyRedisImage:           "redis:7.2.5",
	keyPostgresImage:        "postgres:16.4",
	keyConsulImage:          "hashicorp/consul:1.20.1",
	keySwarmImage:           "swarm:1.2.9",
	keyHAProxyImage:         "haproxy:2.8.10",
	keyInterlockImage:       "ehazlett/interlock:0.3.3",

	instanceTypeKeys[topology.Manager]:      "t2.micro",
	instanceTypeKeys[topology.LoadBalancer]: "t2.micro",
	instanceTypeKeys[topology.Frontend]:     "t2.micro",
	instanceTypeKeys[topology.Worker]:       "t2.micro",
	instanceTypeKeys[topology.Store]:        "m3.medium",
}

// Keys lists the keys of all settings, sorted, without the namespace.
func Keys() []string {
	keys := make([]string, 0, len(defaults))
	for key := range defaults {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Default is the text that stands for a setting when nobody sets it, empty where there is none.
func Default(key string) string { return defaults[key] }
