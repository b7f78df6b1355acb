package app

import (
	_ "embed"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

// postgresHost is PostgreSQL's name on the network.
const postgresHost = "pg"

//go:embed scripts/password.sh
var passwordScript string

// database is PostgreSQL.
type database struct {
	workload *cluster.Running
	login    pulumi.Resource // exists once the password of the settings works
}

// newPostgres runs the database on the first of the nodes, with its data on a volume. No other node has a copy.
func (a *App) newPostgres(ctx *pulumi.Context, nodes []*infra.Node) (*database, error) {
	running, err := a.run(ctx, cluster.Workload{
		Name:        postgresHost,
		Node:        nodes[0],
		Image:       cluster.Image{Name: "postgres", Reference: a.settings.Images.Postgres},
		Secrets:     []cluster.Secret{a.postgresPassword()},
		Ports:       []cluster.Port{{Inside: postgresPort, Outside: postgresPort}},
		Volume:      &cluster.Volume{Name: postgresHost + "-data", Path: "/var/lib/postgresql/data"},
		HealthCheck: []string{"pg_isready", "--quiet", "--host", "127.0.0.1", "--username", "postgres"},
	})
	if err != nil {
		return nil, err
	}
	login, err := a.cluster.Script(ctx, postgresHost+"-password", running, infra.Script{
		Text: passwordScript,
		Variables: map[string]pulumi.StringInput{
			"DATABASE":    pulumi.String(postgresHost),
			"DATABASE_ID": running.ID, // a new container may have older data, with another password
			"PASSWORD":    pulumi.ToSecret(pulumi.String(a.settings.PostgresPassword.Reveal())).(pulumi.StringOutput),
		},
	}, a.inside())
	return &database{workload: running, login: login}, err
}

// postgresPassword is the variable with the password, for PostgreSQL and for its clients.
func (a *App) postgresPassword() cluster.Secret {
	return cluster.Secret{Name: "POSTGRES_PASSWORD", Value: a.settings.PostgresPassword}
}
