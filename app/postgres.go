package app

import (
	_ "embed"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

// postgresHost is the database's container name, and so its name on the network.
const postgresHost = "pg"

//go:embed scripts/password.sh
var passwordScript string

// database is where votes are counted.
type database struct {
	container *docker.Container
	volume    *docker.Volume
	password  pulumi.Resource // there once it takes logins with the password of the settings
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
		healthcheck: []string{"pg_isready", "--quiet", "--host", "127.0.0.1", "--username", "postgres"},
	}, nil)
	if err != nil {
		return nil, err
	}
	password, err := node.Run(ctx, postgresHost+"-password", infra.Script{
		Text: passwordScript,
		Variables: map[string]pulumi.StringInput{
			"CONTAINER":    pulumi.String(postgresHost),
			"CONTAINER_ID": running.ID(), // another one may have found other data
			"PASSWORD":     pulumi.ToSecret(pulumi.String(a.settings.PostgresPassword.Reveal())).(pulumi.StringOutput),
		},
	}, a.inside)
	return &database{container: running, volume: volume, password: password}, err
}

// postgresPassword is the variable that carries the password, to the database and to those who log in on it.
func (a *App) postgresPassword() pulumi.StringInput {
	return pulumi.ToSecret(pulumi.String("POSTGRES_PASSWORD=" + a.settings.PostgresPassword.Reveal())).(pulumi.StringOutput)
}
