package app

import (
	_ "embed"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

const (
	// postgresHost is PostgreSQL's name on the network.
	postgresHost = "pg"
	// postgresData is where the volume is, and where PostgreSQL is told to keep its data, whichever image it is. Images of release
	// 18 and later would otherwise keep it elsewhere, and lose it with the container.
	postgresData = "/var/lib/postgresql/data"
)

// Roles of the database, as roles.sql makes them. The worker's owns the votes, the results page's reads the tally.
const (
	workerRole  = "vote_worker"
	resultsRole = "results_app"
)

var (
	//go:embed scripts/roles.sh
	rolesScript string
	//go:embed scripts/roles.sql
	rolesSQL string
)

// database is PostgreSQL.
type database struct {
	workload *cluster.Running
	roles    pulumi.Resource // exists once the roles can log in
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
		Limits:       cluster.Limits{Memory: databaseMemory, Files: 4096},
		Capabilities: startsAsRoot,
		HealthCheck:  []string{"pg_isready", "--quiet", "--host", "127.0.0.1", "--username", "postgres"},
	})
	if err != nil {
		return nil, err
	}
	roles, err := a.cluster.Script(ctx, postgresHost+"-roles", running, infra.Script{
		Text: rolesScript,
		Variables: map[string]pulumi.StringInput{
			"DATABASE":          pulumi.String(postgresHost),
			"DATABASE_ID":       running.ID, // a new container may have older data, with other passwords
			"POSTGRES_PASSWORD": infra.AsSecret(a.settings.PostgresPassword),
			"WORKER_PASSWORD":   infra.AsSecret(a.rolePassword(workerRole)),
			"RESULTS_PASSWORD":  infra.AsSecret(a.rolePassword(resultsRole)),
			"ROLES":             pulumi.String(rolesSQL),
		},
	}, a.inside())
	return &database{workload: running, roles: roles}, err
}

// serverPassword is the file with the superuser's password. Only PostgreSQL has it, and reads it when it makes its data. Later the
// password is set in the database, so a changed one does not replace the container.
func (a *App) serverPassword() cluster.Secret {
	secret := a.secret("postgres-password", "POSTGRES_PASSWORD_FILE", a.settings.PostgresPassword)
	secret.Version = ""
	return secret
}

// clientPassword is the file with the password of the role that a program logs in as.
func (a *App) clientPassword(role string) cluster.Secret {
	return a.secret("postgres-password", "POSTGRES_PASSWORD_FILE", a.rolePassword(role))
}

// rolePassword derives a role's password from both secrets of the settings. A web container knows one of them, a database's client
// none.
func (a *App) rolePassword(role string) settings.Secret {
	return derive("postgres "+role, a.settings.PostgresPassword, a.settings.VoterKey)
}
