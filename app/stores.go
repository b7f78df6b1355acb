package app

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/app/database"
	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

var (
	//go:embed scripts/found.sh
	foundScript string
	//go:embed scripts/agree.sh
	agreeScript string
	//go:embed scripts/stores.sql
	storesSQL string
)

// serverNames returns the names of the stores' servers on the network: pg, pg02, pg03.
func (a *App) serverNames() []string {
	names := []string{postgresHost}
	for number := 2; number <= a.settings.Stores(); number++ {
		names = append(names, postgresHost+topology.Suffix(number))
	}
	return names
}

// servers returns the variable by which a program finds the one of several servers that takes writes. By itself it looks for the only one.
func (a *App) servers() []cluster.Variable {
	if a.settings.Stores() < 2 {
		return nil
	}
	return []cluster.Variable{{Name: "POSTGRES_HOST", Value: strings.Join(a.serverNames(), " ")}}
}

// newStores runs a server on each store, and a member of etcd on each of three machines. One server takes writes. Whichever machine is lost,
// with its disk, two members are left that say which one that is, and a store with all votes.
//
// The first server begins the database, with the data that the only one had, if there are any. It is told so in etcd, which begins once. No
// server and no member begins anything by itself.
func (a *App) newStores(ctx *pulumi.Context, machines *infra.Machines) (*storage, error) {
	plan := database.Database{
		Stores: a.serverNames(), Data: postgresData, Roles: []string{workerRole, resultsRole}, Name: databaseName,
	}
	var managing []*infra.Node
	for i, node := range a.settings.EtcdNodes() {
		managing = append(managing, machines.Named(node.Name))
		plan.Etcd = append(plan.Etcd, "etcd"+topology.Suffix(i+1))
	}
	authority, err := database.NewAuthority(deriveKey("database authority", a.settings.PostgresPassword, a.settings.VoterKey))
	if err != nil {
		return nil, err
	}
	files, err := database.Image()
	if err != nil {
		return nil, err
	}
	if err := a.programs.Add(database.ImageName, files); err != nil {
		return nil, err
	}
	votes := &storage{}
	for i, node := range managing {
		member, err := a.newMember(ctx, node, plan, plan.Etcd[i], authority, slices.Clone(votes.etcd))
		if err != nil {
			return nil, err
		}
		votes.etcd = append(votes.etcd, member)
	}
	// The servers need it to have begun.
	if votes.etcd[0].Healthy, err = a.newFounding(ctx, votes.etcd[0], plan); err != nil {
		return nil, err
	}
	for i, node := range machines.Of(topology.Store) {
		server, err := a.newServer(ctx, node, plan, plan.Stores[i], authority, slices.Concat(votes.etcd, votes.servers))
		if err != nil {
			return nil, err
		}
		votes.servers = append(votes.servers, server)
	}
	ids := pulumi.StringArray{}
	for _, server := range votes.servers {
		ids = append(ids, server.ID)
	}
	roles, err := a.newRoles(ctx, votes.servers[0],
		ids.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput),
		storesSQL+rolesSQL, map[string]pulumi.StringInput{
			"READY": pulumi.String(database.PrimaryProgram + " --command SELECT"),
			"PSQL":  pulumi.String(database.PrimaryProgram),
		})
	votes.roles = []pulumi.Resource{roles}
	return votes, err
}

// databaseImage is the image of servers and members, which is built on the stock image.
func (a *App) databaseImage() cluster.Image {
	image := a.program(database.ImageName)
	stock := a.postgresImage()
	image.Base = &stock
	return image
}

// newMember runs a member of etcd on a node, after those before it. So while an update replaces one, the two others answer.
func (a *App) newMember(ctx *pulumi.Context, node *infra.Node, plan database.Database, name string, authority *database.Authority, before []*cluster.Running) (*cluster.Running, error) {
	files, err := authority.Member(name)
	if err != nil {
		return nil, err
	}
	workload := a.databaseWorkload(node, name, database.EtcdData, plan, files)
	workload.Command = alone(database.EtcdData, append([]string{database.MemberProgram}, plan.EtcdArguments(name)...)...)
	workload.Environment = append([]cluster.Variable{{Name: "MEMBER", Value: name}}, workload.Environment...)
	workload.HealthCheck = []string{database.HealthyProgram, "etcd"}
	workload.Scratch = []string{"/tmp"}
	workload.Limits = cluster.Limits{Memory: etcdMemory, Files: 4096}
	workload.Update = cluster.Update{After: before, Await: true}
	return a.run(ctx, workload)
}

// newFounding has etcd begin, through its first member, and tells the stores by it what holds for them. The resource exists once they are told.
func (a *App) newFounding(ctx *pulumi.Context, first *cluster.Running, plan database.Database) (pulumi.Resource, error) {
	founded, err := a.cluster.Script(ctx, "etcd-founding", first, infra.Script{
		Text: foundScript,
		Variables: map[string]pulumi.StringInput{
			"MEMBER":  pulumi.String(first.Name),
			"STORE":   pulumi.String(plan.Stores[0]),
			"SERVICE": first.ID, // only so that it runs first
		},
		// Once: a member that lost its disk, on another machine perhaps, must not begin an empty etcd beside the others.
	}, a.inside(), pulumi.IgnoreChanges([]string{"stdin", "create", "connection", "triggers"}))
	if err != nil {
		return nil, err
	}
	return a.cluster.Script(ctx, "stores-agreement", first, infra.Script{
		Text: agreeScript,
		Variables: map[string]pulumi.StringInput{
			"MEMBER": pulumi.String(first.Name),
			"KEY":    pulumi.String(database.ConfigKey),
			"AGREED": pulumi.String(plan.Dynamic()),
		},
	}, a.inside(), pulumi.DependsOn([]pulumi.Resource{founded}))
}

// newServer runs PostgreSQL under Patroni on a store, after those before it. So an update replaces one server after the other.
func (a *App) newServer(ctx *pulumi.Context, node *infra.Node, plan database.Database, name string, authority *database.Authority, before []*cluster.Running) (*cluster.Running, error) {
	files, err := authority.Store(name)
	if err != nil {
		return nil, err
	}
	// Patroni reads its configuration when it starts, so it is among what replaces the container when it changes.
	files = append(files, database.File{Name: database.ConfigFile, Content: plan.Patroni(name)})
	workload := a.databaseWorkload(node, name, plan.Data, plan, files)
	workload.Command = alone(plan.Data, database.StoreProgram)
	workload.Environment = append([]cluster.Variable{{Name: "STORE", Value: name}, {Name: "PGDATA", Value: plan.Data}}, workload.Environment...)
	workload.HealthCheck = []string{database.HealthyProgram, "store"}
	workload.Scratch = []string{"/tmp", database.SocketsFolder}
	workload.Limits = cluster.Limits{Memory: databaseMemory, Files: 4096}
	workload.Update = cluster.Update{After: before, Await: true}
	return a.run(ctx, workload)
}

// databaseWorkload is what a server and a member have in common. Each keeps its data in a folder, and looks its own name up before others can.
func (a *App) databaseWorkload(node *infra.Node, name, data string, plan database.Database, files []database.File) cluster.Workload {
	return cluster.Workload{
		Name:        name,
		Node:        node,
		Image:       a.databaseImage(),
		Environment: []cluster.Variable{{Name: "ETCDCTL_ENDPOINTS", Value: plan.Endpoints()}},
		Secrets:     a.databaseSecrets(files),
		User:        database.User,
		Volume:      &cluster.Volume{Name: name + "-data", Path: data},
		Host:        cluster.HostName{Host: name},
		ReadOnly:    true,
	}
}

// databaseSecrets are the files of a server or a member.
func (a *App) databaseSecrets(files []database.File) []cluster.Secret {
	var secrets []cluster.Secret
	for _, file := range files {
		secrets = append(secrets, a.secret(file.Name, "", settings.Secret(file.Content)))
	}
	return secrets
}
