package settings

import (
	"maps"
	"slices"

	"swarm-scale/topology"
)

// The keys of the settings, as in Pulumi.<stack>.yaml without the project's name.
const (
	keyPlatform             = "platform"
	keyCluster              = "cluster"
	keyManagers             = "managers"
	keyZones                = "zones"
	keyFrontends            = "frontends"
	keyWorkers              = "workers"
	keyLoadBalancers        = "loadBalancers"
	keyVoteCopies           = "voteCopies"
	keyStores               = "stores"
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
	keyDataDiskSize         = "dataDiskSize"
	keyFlowLogs             = "flowLogs"
	keyTermination          = "terminationProtection"
	keyNetworkLoadBalancer  = "networkLoadBalancer"
	keyHosts                = "hosts"
	keyAllowPublicHosts     = "allowPublicHosts"
	keySSHUser              = "sshUser"
	keySSHPrivateKeyFile    = "sshPrivateKeyFile"
	keyLoadBalancer         = "loadBalancer"
	keyAllowInterlock       = "allowInterlock"
	keyOptionA              = "optionA"
	keyOptionB              = "optionB"
	keyAppendFsync          = "redisAppendfsync"
	keyOverlay              = "overlayCidr"
	keySwarmPool            = "swarmCidr"
	keyVoteNames            = "voteNames"
	keyResultsNames         = "resultsNames"
	keyTrustedProxies       = "trustedProxies"
	keyConnections          = "connectionsPerAddress"
	keyVotes                = "votesPerAddress"
	keyNewVoters            = "newVotersPerAddress"
	keyViewers              = "viewersPerAddress"
	keyLogAddresses         = "logAddresses"
	keyPostgresPassword     = "postgresPassword"
	keyPostgresURL          = "postgresUrl"
	keyPostgresCA           = "postgresCa"
	keyVoterKey             = "voterKey"
	keyRedisImage           = "redisImage"
	keyPostgresImage        = "postgresImage"
	keyConsulImage          = "consulImage"
	keySwarmImage           = "swarmImage"
	keyHAProxyImage         = "haproxyImage"
	keyInterlockImage       = "interlockImage"
)

// countKeys maps a role to the setting of its number of nodes.
var countKeys = map[topology.Role]string{
	topology.LoadBalancer: keyLoadBalancers,
	topology.Frontend:     keyFrontends,
	topology.Worker:       keyWorkers,
	topology.Store:        keyStores,
}

// CountKeys maps a role to the setting of its number of nodes. Roles whose number cannot be set are not in it.
func CountKeys() map[topology.Role]string { return maps.Clone(countKeys) }

// instanceTypeKeys maps a role to the setting of its instance type.
var instanceTypeKeys = map[topology.Role]string{
	topology.Manager:      "managerInstanceType",
	topology.LoadBalancer: "loadBalancerInstanceType",
	topology.Frontend:     "frontendInstanceType",
	topology.Worker:       "workerInstanceType",
	topology.Store:        "storeInstanceType",
}

// InstanceTypeKeys maps a role to the setting of its instance type.
func InstanceTypeKeys() map[topology.Role]string { return maps.Clone(instanceTypeKeys) }

// defaults maps every setting to its default. An empty text means that there is none: the setting is optional, or Load reports
// that it is missing.
//
// The limits of an address leave room for thousands of subscribers of a carrier, or for a campus, who share one IPv4 address. Five
// thousand voters who vote within ten minutes are 500 new voters and as many votes in a minute.
//
// Sizes, ranges and the region are the walk-through's. The images are pinned, so that a stack runs another one only when
// somebody changes its settings.
var defaults = map[string]string{
	keyPlatform:             string(AWS),
	keyCluster:              string(SwarmMode),
	keyManagers:             "",
	keyZones:                "1",
	keyFrontends:            "2",
	keyWorkers:              "1",
	keyLoadBalancers:        "1",
	keyVoteCopies:           "1",
	keyStores:               "1",
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
	keyDataDiskSize:         "16",
	keyFlowLogs:             string(RejectsOnly),
	keyTermination:          "false",
	keyNetworkLoadBalancer:  "false",
	keyHosts:                "[]",
	keyAllowPublicHosts:     "false",
	keySSHUser:              "ubuntu",
	keySSHPrivateKeyFile:    "",
	keyLoadBalancer:         string(HAProxy),
	keyAllowInterlock:       "false",
	keyOptionA:              "Cats",
	keyOptionB:              "Dogs",
	keyAppendFsync:          "always",
	keyOverlay:              "",
	keySwarmPool:            "",
	keyVoteNames:            "",
	keyResultsNames:         "",
	keyTrustedProxies:       "",
	keyConnections:          "1000",
	keyVotes:                "1200",
	keyNewVoters:            "600",
	keyViewers:              "500",
	keyLogAddresses:         "false",
	keyPostgresPassword:     "",
	keyPostgresURL:          "",
	keyPostgresCA:           "",
	keyVoterKey:             "",
	keyRedisImage:           "redis:7.2.16",
	keyPostgresImage:        "postgres:16.15",
	keyConsulImage:          "hashicorp/consul:1.21.5",
	keySwarmImage:           "swarm:1.2.9",
	keyHAProxyImage:         "haproxy:2.8.28",
	keyInterlockImage:       "ehazlett/interlock:0.3.3",

	instanceTypeKeys[topology.Manager]:      "t2.micro",
	instanceTypeKeys[topology.LoadBalancer]: "t2.micro",
	instanceTypeKeys[topology.Frontend]:     "t2.micro",
	instanceTypeKeys[topology.Worker]:       "t2.micro",
	instanceTypeKeys[topology.Store]:        "m3.medium",
}

// Keys lists the keys of all settings, sorted, without the namespace.
func Keys() []string {
	return slices.Sorted(maps.Keys(defaults))
}

// Default returns the text of a setting that nobody sets. It is empty if there is no default.
func Default(key string) string { return defaults[key] }
