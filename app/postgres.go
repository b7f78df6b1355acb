package app

import (
	_ "embed"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

const (
	// postgresHost is PostgreSQL's name on the network.
	postgresHost = "pg"
	// postgresData is where the volume is, and where PostgreSQL is told to keep its data, whichever image it is. Images of release
	// 18 and later would otherwise keep it elsewhere, and lose it with the container.
	postgresData = "/var/lib/postgresql/data"
)

// databaseName is the name of the database that has the votes.
const databaseName = "postgres"

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

// storage is what keeps the votes that are stored. It is empty if somebody else does.
type storage struct {
	servers []*cluster.Running // PostgreSQL, on each store
	etcd    []*cluster.Running // says which of several servers takes writes
	roles   []pulumi.Resource  // exist once the roles can log in
}

// newStorage runs the database: a server of the stock image on the only store, or one on each of several, or none.
func (a *App) newStorage(ctx *pulumi.Context, machines *infra.Machines) (*storage, error) {
	switch nodes := machines.Of(topology.Store); len(nodes) {
	case 0:
		return &storage{}, nil
	case 1:
		return a.newPostgres(ctx, nodes[0])
	}
	return a.newStores(ctx, machines)
}

// newPostgres runs the database on a node, with its data on a volume. No other node has a copy.
func (a *App) newPostgres(ctx *pulumi.Context, node *infra.Node) (*storage, error) {
	running, err := a.run(ctx, cluster.Workload{
		Name:         postgresHost,
		Node:         node,
		Image:        a.postgresImage(),
		Command:      alone(postgresData, "docker-entrypoint.sh", "postgres"),
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
	roles, err := a.newRoles(ctx, running, running.ID, rolesSQL, nil)
	return &storage{servers: []*cluster.Running{running}, roles: []pulumi.Resource{roles}}, err
}

// postgresImage is the stock image.
func (a *App) postgresImage() cluster.Image {
	return cluster.Image{Name: "postgres", Reference: a.settings.Images.Postgres}
}

// newRoles sets the roles of the database by psql in a server. It does so again when the IDs of the containers change, because a new one may
// have older data, with other passwords.
func (a *App) newRoles(ctx *pulumi.Context, server *cluster.Running, ids pulumi.StringOutput, roles string, more map[string]pulumi.StringInput) (pulumi.Resource, error) {
	variables := map[string]pulumi.StringInput{
		"DATABASE":          pulumi.String(postgresHost),
		"DATABASE_ID":       ids,
		"POSTGRES_PASSWORD": infra.AsSecret(a.settings.PostgresPassword),
		"WORKER_PASSWORD":   infra.AsSecret(a.rolePassword(workerRole)),
		"RESULTS_PASSWORD":  infra.AsSecret(a.rolePassword(resultsRole)),
		"ROLES":             pulumi.String(roles),
	}
	maps.Copy(variables, more)
	return a.cluster.Script(ctx, postgresHost+"-roles", server, infra.Script{Text: rolesScript, Variables: variables}, a.inside())
}

// serverPassword is the file with the superuser's password. Only PostgreSQL has it, and reads it when it makes its data. Later the
// password is set in the database, so a changed one does not replace the container.
func (a *App) serverPassword() cluster.Secret {
	secret := a.secret("postgres-password", "POSTGRES_PASSWORD_FILE", a.settings.PostgresPassword)
	secret.Version = ""
	return secret
}

// withDatabase tells a program's workload where the database is and how to log in: by the role's password or, if somebody else keeps the
// database, by a URL, which has a user of its own.
func (a *App) withDatabase(role string, w cluster.Workload) cluster.Workload {
	login := []cluster.Secret{a.secret("postgres-password", "POSTGRES_PASSWORD_FILE", a.rolePassword(role))}
	if database := a.settings.Database; !a.settings.HasStores() {
		login = []cluster.Secret{a.secret("postgres-url", "POSTGRES_URL_FILE", database.URL)}
		if database.Authorities != "" {
			login = append(login, a.secret("postgres-ca", "POSTGRES_CA_FILE", settings.Secret(database.Authorities)))
		}
		w.Authorities = database.Authorities == ""
	}
	w.Environment = append(w.Environment, a.servers()...)
	w.Secrets = append(login, w.Secrets...)
	return w
}

// rolePassword derives a role's password from both secrets of the settings. A web container knows one of them, a database's client
// none.
func (a *App) rolePassword(role string) settings.Secret {
	return derive("postgres "+role, a.settings.PostgresPassword, a.settings.VoterKey)
}
