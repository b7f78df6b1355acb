package app

import (
	_ "embed"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

const (
	// postgresHost is PostgreSQL's name on the network.
	postgresHost = "pg"
	// postgresData is where the volume is, and where PostgreSQL is told to keep its data, whichever image it is. Images of release
	// 18 and later would otherwise keep it elsewhere, and lose it with the container.
	postgresData = "/var/lib/postgresql/data"
)

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
		Name:         postgresHost,
		Node:         nodes[0],
		Image:        cluster.Image{Name: "postgres", Reference: a.settings.Images.Postgres},
		Environment:  []cluster.Variable{{Name: "PGDATA", Value: postgresData}},
		Secrets:      []cluster.Secret{a.serverPassword()},
		Volume:       &cluster.Volume{Name: postgresHost + "-data", Path: postgresData},
		ReadOnly:     true,
		Scratch:      []string{"/tmp", "/var/run/postgresql"},
		Limits:       cluster.Limits{Memory: 1024, Files: 4096},
		Capabilities: startsAsRoot,
		HealthCheck:  []string{"pg_isready", "--quiet", "--host", "127.0.0.1", "--username", "postgres"},
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

// serverPassword is the file with the password for PostgreSQL. The server reads it when it makes its data. Later the password is
// set in the database.
func (a *App) serverPassword() cluster.Secret {
	secret := a.clientPassword()
	secret.Version = ""
	return secret
}

// clientPassword is the file with the password for PostgreSQL's clients.
func (a *App) clientPassword() cluster.Secret {
	return a.secret("postgres-password", "POSTGRES_PASSWORD_FILE", a.settings.PostgresPassword)
}
