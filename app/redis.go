package app

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// redisPort is the port of every queue. No node publishes it: web containers and workers are on the cluster's network.
const redisPort = 6379

// redisMemory is the memory of a queue, out of a frontend's 1 GiB. A full Redis refuses further votes, and the voters see an error.
// It evicts no accepted vote.
const redisMemory = "512mb"

// startsAsRoot are the capabilities of an official image that starts as root, gives its data to the user of its server, and goes on
// as that user.
var startsAsRoot = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}

// redisData is where the official image has Redis's data.
const redisData = "/data"

// redisUser is the user that the official image's server runs as.
const redisUser = 999

// redisName returns the name of a frontend's Redis.
func redisName(node *infra.Node) string { return "redis" + topology.Suffix(node.Number) }

// queueAddress returns the address of a frontend's Redis.
func queueAddress(node *infra.Node) string { return fmt.Sprintf("%s:%d", redisName(node), redisPort) }

// redisFile has Redis's settings, all but those in its secret configuration.
const redisFile = "/usr/local/etc/redis/redis.conf"

// newRedis runs the queue of one frontend, on the frontend's own node, after those before it. Its append-only file is on a volume.
//
// Redis reads its settings when it starts, and is told of every one when they change. So a changed setting does not replace the
// container.
func (a *App) newRedis(ctx *pulumi.Context, node *infra.Node, before []*cluster.Running) (*cluster.Running, error) {
	name, configuration := redisName(node), a.redisConfiguration()
	return a.run(ctx, cluster.Workload{
		Name:    name,
		Node:    node,
		Image:   cluster.Image{Name: "redis", Reference: a.settings.Images.Redis},
		Command: alone(redisData, append([]string{"docker-entrypoint.sh"}, redisCommand(configuration.Path(), redisFile)...)...),
		Config: &cluster.Configuration{
			Path:    redisFile,
			Content: pulumi.String(strings.Join(redisSettings(a.settings.AppendFsync), "\n") + "\n"),
			Reload:  []string{"sh", "-c", tellRedis(configuration.Path(), redisFile)},
		},
		Secrets:  []cluster.Secret{configuration},
		User:     redisUser,
		ReadOnly: true,
		// It takes 10,000 clients.
		Limits:       cluster.Limits{Memory: queueMemory, Files: 10_240},
		Capabilities: startsAsRoot,
		Volume:       &cluster.Volume{Name: name + "-data", Path: redisData},
		// While Redis loads its file it answers with an error. redis-cli then still exits with 0. It logs in by its standard input,
		// so that neither its arguments nor its environment have the password.
		HealthCheck: []string{"sh", "-c", redisHealthCheck(configuration.Path())},
		Update:      cluster.Update{After: before, Await: true},
	})
}

// copies returns the variable that tells a program in how many queues each vote is.
func (a *App) copies() cluster.Variable {
	return cluster.Variable{Name: "VOTE_COPIES", Value: strconv.Itoa(a.settings.VoteCopies)}
}

// redisCommand returns the command that starts Redis with its secret configuration and its settings.
func redisCommand(secret, file string) []string {
	return []string{"redis-server", secret, "--include", file}
}

// redisSettings returns Redis's settings, as lines of its configuration. Its file keeps what workers have long stored, with voters and
// times, until it is rewritten. So that is soon.
func redisSettings(appendFsync string) []string {
	return []string{"appendonly yes", "appendfsync " + appendFsync, "maxmemory " + redisMemory, "maxmemory-policy noeviction",
		"auto-aof-rewrite-min-size 1mb"}
}

// tellRedis is a command for the shell that tells a running Redis every line of the file with its settings, and fails unless it takes
// all of them. redis-cli exits with 0 even if Redis refuses.
//
// A container without the file, or with another password than the secret configuration, is about to be replaced. It need not be told.
func tellRedis(secret, file string) string {
	return `[ ! -e ` + file + ` ] || (` + redisLogin(secret) + `; sed 's/^/CONFIG SET /' ` + file + `) | redis-cli | {
	while read -r answer; do
		case $answer in
		OK) taken=$((taken + 1)) ;;
		WRONGPASS*) replaced=yes ;;
		"" | NOAUTH*) ;;
		*) echo "redis-server: $answer" >&2 ;;
		esac
	done
	[ "${taken:-0}" -eq $(($(grep -c . ` + file + `) + 1)) ] || [ -n "${replaced:-}" ]
}`
}

// redisLogin is a command for the shell that prints the command with which redis-cli logs in. The secret configuration has the
// password.
func redisLogin(secret string) string { return `sed -n 's/^requirepass /AUTH /p' ` + secret }

// redisConfiguration is the file with Redis's password. Redis takes no snapshots, which are of no use beside the append-only file. It
// would take them without this setting, and when one fails, for want of memory for instance, refuse every write until one succeeds.
func (a *App) redisConfiguration() cluster.Secret {
	return a.secret("redis.conf", "", "requirepass "+a.redisPassword()+"\nsave \"\"\n")
}

// redisPassword derives the password of every queue from the voter key. The web containers know both, and nobody else the key.
func (a *App) redisPassword() settings.Secret { return derive("redis", a.settings.VoterKey) }

// redisClientPassword is the file with the password for programs that use the queues.
func (a *App) redisClientPassword() cluster.Secret {
	return a.secret("redis-password", "REDIS_PASSWORD_FILE", a.redisPassword())
}

// redisHealthCheck is a command for the shell that succeeds if Redis answers a PING. The secret configuration has its password.
func redisHealthCheck(secret string) string {
	return `[ "$( (` + redisLogin(secret) + `; echo PING) | redis-cli | tail -n 1)" = PONG ]`
}
