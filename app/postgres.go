package app

import (
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

// postgresHost is the database's container name, and so its name on the network.
const postgresHost = "pg"

// database is where votes are counted.
type database struct {
	container *docker.Container
	volume    *docker.Volume
}

// newPostgres runs the database on the store node, with its data on a volume.
func (a *App) newPostgres(ctx *pulumi.Context, node *infra.Node) (*database, error) {
	image, err := a.pull(ctx, node, "postgres", a.settings.Images.Postgres)
	if err != nil {
		return nil, err
	}
	volume, err := a.newVolume(ctx, node, postgresHost+"-data")
	if err != nil {
		return nil, err
	}
	running, err := a.place(ctx, node, container{
		name:        postgresHost,
		image:       image,
		environment: pulumi.StringArray{a.postgresPassword()},
		ports:       []port{{inside: 5432, outside: 5432}},
		volume:      volume,
		mountPath:   "/var/lib/postgresql/data",
	}, nil)
	return &database{container: running, volume: volume}, err
}

// postgresPassword is the variable that carries the password, to the database and to those who log in on it.
func (a *App) postgresPassword() pulumi.StringInput {
	return pulumi.ToSecret(pulumi.String("POSTGRES_PASSWORD=" + a.settings.PostgresPassword.Reveal())).(pulumi.StringOutput)
}
