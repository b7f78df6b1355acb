package app

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/topology"
)

// redisMemory is the memory of a queue, out of a frontend's 1 GiB. A full Redis refuses further votes, and the voters see an error.
// It evicts no accepted vote.
const redisMemory = "512mb"

// startsAsRoot are the capabilities of an official image that starts as root, gives its data to the user of its server, and goes on
// as that user.
var startsAsRoot = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}

// redisName returns the name of a frontend's Redis.
func redisName(node *infra.Node) string { return "redis" + topology.Suffix(node.Number) }

// queueAddress returns the address of a frontend's Redis.
func queueAddress(node *infra.Node) string { return fmt.Sprintf("%s:%d", redisName(node), redisPort) }

// newRedis runs the queue of one frontend, on the frontend's own node. Its append-only file is on a volume.
func (a *App) newRedis(ctx *pulumi.Context, node *infra.Node) (*cluster.Running, error) {
	name := redisName(node)
	return a.run(ctx, cluster.Workload{
		Name:  name,
		Node:  node,
		Image: cluster.Image{Name: "redis", Reference: a.settings.Images.Redis},
		Command: []string{"redis-server", "--appendonly", "yes", "--appendfsync", a.settings.AppendFsync,
			"--maxmemory", redisMemory, "--maxmemory-policy", "noeviction"},
		Ports:    []cluster.Port{{Inside: redisPort, Outside: redisPort}},
		ReadOnly: true,
		// Beyond redisMemory, for its buffers and for what changes while it rewrites its file. It takes 10,000 clients.
		Limits:       cluster.Limits{Memory: 656, Files: 10_240},
		Capabilities: startsAsRoot,
		Volume:       &cluster.Volume{Name: name + "-data", Path: "/data"},
		// While Redis loads its file it answers with an error. redis-cli then still exits with 0.
		HealthCheck: []string{"sh", "-c", "[ \"$(redis-cli ping)\" = PONG ]"},
	})
}
