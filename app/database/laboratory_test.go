package database_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarm-scale/app/database"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/eventually"
)

const (
	// baseVariable names another stock image to build on. It has to be here: no test pulls an image.
	baseVariable = "STORES_BASE"
	defaultBase  = "postgres:17.trixie"
	// secret is the password of all roles.
	secret   = "not-a-secret"
	dataPath = "/var/lib/postgresql/data"
	// patience is for what no promise bounds, such as a copy of all data, on a machine that has other work.
	patience = 5 * time.Minute
)

// laboratory is a network of containers: stores and members of etcd.
type laboratory struct {
	t           *testing.T
	prefix      string // of the containers', volumes' and network's names on the engine
	base, image string
	folder      string            // of the files that are mounted
	addresses   map[string]string // by the containers' names on the network
	database    database.Database
}

// docker runs docker and returns what it prints.
func docker(ctx context.Context, input string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", arguments...)
	command.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("docker %s: %w\n%s", arguments[0], err, output)
	}
	return strings.TrimSpace(string(output)), err
}

func (l *laboratory) docker(arguments ...string) string {
	l.t.Helper()
	output, err := docker(l.t.Context(), "", arguments...)
	if err != nil {
		l.t.Fatal(err)
	}
	return output
}

// newLaboratory builds the image, and makes the network. Without Docker or the stock image the test is skipped.
func newLaboratory(t *testing.T, stores ...string) *laboratory {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	base := os.Getenv(baseVariable)
	if base == "" {
		base = defaultBase
	}
	if _, err := docker(t.Context(), "", "version"); err != nil {
		t.Skipf("there is no Docker here: %v", err)
	}
	if _, err := docker(t.Context(), "", "image", "inspect", base); err != nil {
		t.Skipf("the image %s is not here: pull it, or name another one in %s", base, baseVariable)
	}
	var random [3]byte
	_, _ = rand.Read(random[:])
	prefix := "stores-test-" + hex.EncodeToString(random[:2])
	l := &laboratory{
		t: t, prefix: prefix, base: base, image: "stores-test-" + database.ImageName, folder: t.TempDir(), addresses: map[string]string{},
		database: database.Database{
			Stores: stores, Etcd: []string{"etcd01", "etcd02", "etcd03"}, Data: dataPath, Roles: []string{"vote_worker", "results_app"}, Name: "postgres",
		},
	}
	l.buildImage()
	subnet := fmt.Sprintf("10.213.%d", random[2])
	l.docker("network", "create", "--subnet", subnet+".0/24", l.prefix)
	t.Cleanup(func() {
		for _, name := range l.names() {
			l.lose(name)
		}
		_, _ = docker(context.Background(), "", "network", "rm", l.prefix)
	})
	authority, err := database.NewAuthority([]byte("a seed of a laboratory, with enough bytes"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range l.names() {
		l.addresses[name] = fmt.Sprintf("%s.%d", subnet, 11+i)
		filesOf := authority.Member
		if l.isStore(name) {
			filesOf = authority.Store
		}
		files, err := filesOf(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			l.write(name+".secrets/"+file.Name, file.Content)
		}
		if l.isStore(name) {
			l.write(name+".secrets/"+database.ConfigFile, l.database.Patroni(name))
		}
	}
	return l
}

func (l *laboratory) buildImage() {
	l.t.Helper()
	files, err := database.Image()
	if err != nil {
		l.t.Fatal(err)
	}
	for name, text := range files {
		l.write("image/"+name, text)
		if strings.HasSuffix(name, ".sh") {
			if err := os.Chmod(filepath.Join(l.folder, "image", name), 0o755); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	if _, err := docker(l.t.Context(), "", "build", "--network=host", "--cpu-shares", "2", "--build-arg", "BASE="+l.base, "--tag", l.image, filepath.Join(l.folder, "image")); err != nil {
		l.t.Skipf("the image cannot be built here: %v", err)
	}
}

func (l *laboratory) write(name, text string) {
	l.t.Helper()
	path := filepath.Join(l.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *laboratory) names() []string {
	return append(slices.Clone(l.database.Etcd), l.database.Stores...)
}

func (l *laboratory) isStore(name string) bool { return slices.Contains(l.database.Stores, name) }

// container returns the name of a container, and of its volume, on the engine.
func (l *laboratory) container(name string) string { return l.prefix + "-" + name }

// limited returns the options of docker run that every container has: as little of the machine, and of rights, as on a cluster.
func (l *laboratory) limited(name, path string) []string {
	return []string{
		"run", "--detach", "--name", l.container(name), "--hostname", name, "--network", l.prefix, "--network-alias", name, "--ip", l.addresses[name],
		"--cpu-shares", "2", "--memory", "768m", "--restart", "always", "--label", "swarm-scale",
		"--read-only", "--tmpfs", "/tmp", "--tmpfs", database.SocketsFolder, "--volume", l.container(name) + ":" + path,
	}
}

// start starts a store or a member of etcd, with the disk that it had, if any.
func (l *laboratory) start(name string) {
	l.t.Helper()
	path, program, variables := database.EtcdData, append([]string{database.MemberProgram}, l.database.EtcdArguments(name)...), []string{"--env", "MEMBER=" + name}
	if l.isStore(name) {
		path, program = dataPath, []string{database.StoreProgram}
		variables = []string{
			"--env", "STORE=" + name, "--env", "PGDATA=" + dataPath,
		}
	}
	l.docker(slices.Concat(l.limited(name, path), variables, []string{
		"--env", "ETCDCTL_ENDPOINTS=" + l.database.Endpoints(), "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--volume", filepath.Join(l.folder, name+".secrets") + ":/run/secrets:ro", l.image,
	}, program)...)
}

// startStock starts the stock image's own server in place of a store.
func (l *laboratory) startStock(name string) {
	l.t.Helper()
	l.docker(append(l.limited(name, dataPath), "--env", "PGDATA="+dataPath, "--env", "POSTGRES_PASSWORD="+secret, l.base)...)
}

// lose removes a container as it stands, and its disk.
func (l *laboratory) lose(name string) {
	_, _ = docker(context.Background(), "", "rm", "--force", "--volumes", l.container(name))
	_, _ = docker(context.Background(), "", "volume", "rm", "--force", l.container(name))
}

// in runs a program in a container.
func (l *laboratory) in(name, input string, program ...string) (string, error) {
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	return docker(ctx, input, append([]string{"exec", "--interactive", l.container(name)}, program...)...)
}

// etcdBegins starts etcd's members, and has the first one begin.
func (l *laboratory) etcdBegins() {
	l.t.Helper()
	for _, name := range l.database.Etcd {
		l.start(name)
	}
	said, err := l.in(l.database.Etcd[0], "", database.FoundProgram, l.database.Stores[0])
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Log(said)
	l.agree()
	l.etcdIsWhole()
}

// agree tells the stores what holds for all of them, as app/scripts/agree.sh does.
func (l *laboratory) agree() {
	l.t.Helper()
	eventually.Succeeds(l.t, patience, "the stores are told", func() error {
		_, err := l.in(l.database.Etcd[0], l.database.Dynamic(), "etcdctl", "put", database.ConfigKey)
		return err
	})
}

// etcdIsWhole waits until each member of etcd counts for the majority, and is well.
func (l *laboratory) etcdIsWhole() {
	l.t.Helper()
	eventually.Succeeds(l.t, patience, "etcd has three members that count", func() error {
		members, err := l.in(l.database.Etcd[2], "", "etcdctl", "member", "list")
		if err != nil {
			return err
		}
		for _, name := range l.database.Etcd {
			if !strings.Contains(members, "started, "+name+",") {
				return errors.New(members)
			}
		}
		if strings.Count(members, "\n") != 2 || strings.Contains(members, "true") {
			return errors.New(members)
		}
		return nil
	})
	l.areHealthy(l.database.Etcd...)
}

// storesAreWhole waits until one store takes writes, and the others have what is committed. It returns the first one's name and another one's.
func (l *laboratory) storesAreWhole() (primary, standby string) {
	l.t.Helper()
	eventually.Succeeds(l.t, patience, "one store takes writes, and the others have all of it", func() error {
		list, err := l.in(l.database.Stores[0], "", "patronictl", "list", "--format", "tsv")
		if err != nil {
			return err
		}
		primary, standby = "", ""
		standbys := 0
		for line := range strings.Lines(list) {
			fields := strings.Split(strings.TrimSpace(line), "\t")
			switch {
			case len(fields) < 5:
			case fields[3] == "Leader" && fields[4] == "running":
				primary = fields[1]
			case (fields[3] == "Sync Standby" || fields[3] == "Quorum Standby") && fields[4] == "streaming":
				standby = fields[1]
				standbys++
			}
		}
		if primary == "" || standbys != len(l.database.Stores)-1 {
			return errors.New(list)
		}
		return nil
	})
	l.areHealthy(l.database.Stores...)
	return primary, standby
}

// areHealthy waits until the containers' own checks succeed. An engine asks every 5 s, and replaces a container that fails twice.
func (l *laboratory) areHealthy(names ...string) {
	l.t.Helper()
	for _, name := range names {
		kind := "etcd"
		if l.isStore(name) {
			kind = "store"
		}
		eventually.Succeeds(l.t, 10*time.Second, name+" is well", func() error {
			_, err := l.in(name, "", database.HealthyProgram, kind)
			return err
		})
	}
}

// log returns the end of what a container said.
func (l *laboratory) log(name string) string {
	said, _ := docker(context.Background(), "", "logs", "--tail", "40", l.container(name))
	return said
}

// setRoles sets the roles by this program in a store, as app/scripts/roles.sh does.
func (l *laboratory) setRoles(store string, files []string, program ...string) {
	l.t.Helper()
	var text strings.Builder
	for _, role := range []string{"postgres", "worker", "results"} {
		fmt.Fprintf(&text, "\\set %s_password %s\n", role, secret)
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join("..", "scripts", file))
		if err != nil {
			l.t.Fatal(err)
		}
		text.Write(content)
	}
	eventually.Succeeds(l.t, patience, "the roles are set", func() error {
		_, err := l.in(store, text.String(), append(program, "--quiet", "--set", "ON_ERROR_STOP=1")...)
		return err
	})
}

// address is how a program finds the database from outside of the network.
func (l *laboratory) address(role string) postgres.Address {
	var servers []string
	for _, store := range l.database.Stores {
		servers = append(servers, l.addresses[store]+":5432")
	}
	return postgres.Address{Servers: servers, User: role, Database: l.database.Name, Password: secret}
}
