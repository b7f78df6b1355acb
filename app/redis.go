package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/topology"
)

const redisPort = 6379

// redisMemory is how much of a frontend's 1 GiB its queue may take. When it is full, Redis refuses further votes and their
// voters are told so; nothing that was accepted is thrown away to make room.
const redisMemory = "512mb"

// newRedis runs the queue of one frontend, on the frontend's own node. Its append-only file is on a volume.
func (a *App) newRedis(ctx *pulumi.Context, node *infra.Node) (*docker.Container, error) {
	name := "redis" + topology.Suffix(node.Number)
	image, err := a.pull(ctx, node, "redis", a.settings.Images.Redis)
	if err != nil {
		return nil, err
	}
	volume, err := a.newVolume(ctx, node, name+"-data")
	if err != nil {
		return nil, err
	}
	return a.place(ctx, node, container{
		name:  name,
		image: image,
		command: []string{"redis-server", "--appendonly", "yes", "--appendfsync", a.settings.AppendFsync,
			"--maxmemory", redisMemory, "--maxmemory-policy", "noeviction"},
		ports:     []port{{inside: redisPort, outside: redisPort}},
		volume:    volume,
		mountPath: "/data",
		// Redis answers with an error, which is no failure to redis-cli, while it still reads its file.
		healthcheck: []string{"sh", "-c", "[ \"$(redis-cli ping)\" = PONG ]"},
	}, nil)
}
